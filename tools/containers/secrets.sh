#!/bin/sh
# Makes the secrets of compose.yaml, once: new ones would not open what the volumes hold. Argument: the folder.
set -eu
folder=$1
if [ -e "$folder" ]; then
    echo "secrets: $folder is there already; to start anew: docker compose down --volumes, then remove it"
    exit
fi

random() {
    od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'
}

# A container reads its secrets as a user that this machine does not know: the files are open, their folder is not.
(umask 077 && mkdir -p "$folder")
umask 022
postgres=$(random 24) nats=$(random 24) access=$(random 10) secret=$(random 24)
printf %s "$postgres" >"$folder/postgres_password"
printf %s "postgresql+asyncpg://packshot:$postgres@postgres/packshot" >"$folder/gateway_database_url"
printf %s "nats://packshot:$nats@nats:4222" >"$folder/gateway_nats_url"
printf 'authorization { user: "packshot", password: "%s" }\n' "$nats" >"$folder/nats_auth"
printf %s "$access" >"$folder/s3_access_key"
printf %s "$secret" >"$folder/s3_secret_key"
printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$access" "$secret" >"$folder/aws_credentials"
echo "secrets: made in $folder"
