"""Photos are decoded in processes of their own, so that a hostile file ends nothing but itself.

    service ──order, file──▶ zygote ──fork──▶ child: one photo, limits on memory and time
       ▲                                        │
       └────────── pixels in shared memory ─────┘

A service starts one *zygote*: a small process with the decoders loaded, one thread, none of the service's environment
or sockets. It forks a child per photo, which costs a few milliseconds, and ends it when its time is up. A child sees
one photo only, and whatever it broke ends with it.

    isolated.py       the service's side: `create_decoder(settings).decode(data)`
    zygote.py         python -m services.common.decoder.zygote
    sandbox.py        what a child gives up before it looks at a photo
    messages.py       what the processes say to each other: JSON and descriptors, nothing that is executed
    shared_arrays.py  pixels that are written once, by the child, and read by the service where they lie

Linux only (memfd, pidfd). `<NAME>_DECODE_WORKERS=0` decodes in the service's own process.
"""
