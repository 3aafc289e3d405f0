from services.gateway.verdict import Decision, Thresholds, Verdict, of_checked_image, of_packshot, without_product


def verdict(
    confidence: float, *violations: str, touches_frame: bool = False, findings: tuple[str, ...] = ()
) -> Decision:
    return of_packshot(
        confidence=confidence,
        violations=violations,
        touches_frame=touches_frame,
        findings=findings,
        thresholds=Thresholds(publish_at=0.8, reject_below=0.4),
    )


def test_sure_and_compliant_is_published() -> None:
    assert verdict(0.93) == Decision(Verdict.PUBLISH, ("compliant, confidence 0.93",))


def test_exactly_at_the_line_is_published() -> None:
    assert verdict(0.8).verdict is Verdict.PUBLISH


def test_unsure_is_reviewed() -> None:
    decision = verdict(0.7)
    assert decision.verdict is Verdict.REVIEW
    assert decision.reasons == ("confidence 0.70 is below 0.80: a person should look",)


def test_very_unsure_is_rejected() -> None:
    assert verdict(0.39).verdict is Verdict.REJECT
    assert verdict(0.4).verdict is Verdict.REVIEW


def test_a_violation_is_reviewed_and_named_however_sure_we_are() -> None:
    decision = verdict(1.0, "Pure white background")
    assert decision.verdict is Verdict.REVIEW
    assert decision.reasons == ("breaks the rule: Pure white background",)


def test_a_product_at_the_photos_edge_is_reviewed() -> None:
    decision = verdict(0.9, touches_frame=True)
    assert decision.verdict is Verdict.REVIEW
    assert "may be missing" in decision.reasons[0]


def test_what_was_noticed_and_could_not_be_mended_is_reviewed_however_sure_we_are() -> None:
    decision = verdict(1.0, findings=("the table mirrors the product",))
    assert decision == Decision(Verdict.REVIEW, ("the table mirrors the product",))


def test_all_reasons_are_given() -> None:
    assert len(verdict(0.5, "A", "B", touches_frame=True, findings=("C",)).reasons) == 5


def test_a_checked_image_may_be_uploaded_or_not() -> None:
    assert of_checked_image([]).verdict is Verdict.PUBLISH
    assert of_checked_image(["Longest side"]) == Decision(Verdict.REJECT, ("breaks the rule: Longest side",))


def test_no_product_is_rejected() -> None:
    assert without_product().verdict is Verdict.REJECT
