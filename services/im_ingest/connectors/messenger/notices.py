"""What people do in Messenger besides talking: opt in, rate, log in; and what happens to the chat. It knows no entry."""

from collections.abc import Iterator

from im_ingest.connectors.messenger.entities import Question
from im_ingest.connectors.messenger.scene import Scene, tokens
from onethread.event import (
    AnyFact,
    ChannelState,
    ContactSubscribed,
    ContactUnsubscribed,
    Event,
    Postback,
    Rating,
    SessionStarted,
    System,
    Unknown,
)

LINES = {
    "pass_thread_control": "The chat was passed to our app.",
    "take_thread_control": "The chat was taken by another app.",
}
"""The first is told to the app that has the chat now, the second to the one that had it ("messaging_handovers")."""
SCALES = {"csat": 5.0, "nps": 10.0, "ces": 7.0}
"""Highest score of each kind of question (Messenger Platform, "Customer Feedback Template")."""


def opted(here: Scene) -> Iterator[Event]:
    """Somebody wants messages of a kind, or no longer."""
    optin = here.item.optin
    assert optin is not None
    stopped = optin.notification_messages_status == "STOP_NOTIFICATIONS"
    fact = ContactUnsubscribed(reason="opt_out") if stopped else ContactSubscribed(reason="opt_in")
    more = {
        "type": optin.type,
        "payload": optin.payload,
        "title": optin.title,
        "ref": optin.ref,
        "user_ref": optin.user_ref,
    }
    data = {name: value for name, value in more.items() if value}
    yield here.event(here.stamp("optin"), fact, tokens=tokens(optin.ref), channel_data=data)


def handed_over(here: Scene) -> Iterator[Event]:
    """Another app, or a person in the inbox, gave us the chat or took it."""
    item = here.item
    kind = "pass_thread_control" if item.pass_thread_control else "take_thread_control"
    handover = item.pass_thread_control or item.take_thread_control
    assert handover is not None
    data = {"new_owner_app_id": handover.new_owner_app_id, "previous_owner_app_id": handover.previous_owner_app_id}
    known = {name: str(app) for name, app in {**data, "metadata": handover.metadata}.items() if app is not None}
    yield here.event(here.stamp(kind), System(text=LINES[kind]), channel_data=known)


def thumbed(here: Scene) -> Iterator[Event]:
    """A thumb under one message."""
    feedback = here.item.response_feedback
    assert feedback is not None
    score = 1.0 if feedback.feedback.casefold().startswith("good") else 0.0
    fact = Rating(score=score, scale=1.0, text=feedback.feedback, target=feedback.mid or "")
    yield here.event(here.stamp("feedback"), fact)


def scored(here: Scene) -> Iterator[Event]:
    """Each question of a form is a rating of its own."""
    form = here.item.messaging_feedback
    assert form is not None
    for screen in form.feedback_screens:
        for name, question in screen.questions.items():
            yield here.event(here.stamp("feedback"), _answer(name, question), revision=name)


def _answer(name: str, question: Question) -> AnyFact:
    """A score; else what was written or chosen."""
    words = (question.follow_up.payload if question.follow_up else None) or ""
    given = question.payload or ""
    if question.type not in SCALES or not (given.isascii() and given.isdecimal() and len(given) < 4):
        return Postback(payload=name, title=" ".join(filter(None, (given, words))))
    return Rating(score=float(given), scale=SCALES[question.type], text=words)


def linked(here: Scene) -> Iterator[Event]:
    """Somebody logged in at our site, or out; the code may be a token of ours."""
    linking = here.item.account_linking
    assert linking is not None
    if linking.status != "linked":
        yield here.event(here.stamp("account_linking"), Unknown(label=f"account_linking {linking.status}"))
        return
    fact = SessionStarted(reason="account_linking")
    yield here.event(here.stamp("account_linking"), fact, tokens=tokens(linking.authorization_code))


def enforced(here: Scene) -> Iterator[Event]:
    """Meta restricts the page, or lifts it."""
    found = here.item.policy_enforcement or here.item.policy_enforcement_of_before
    assert found is not None
    fact = ChannelState(state=found.action or "policy_enforcement", reason=found.reason or "")
    yield here.event(f"policy_enforcement:{here.item.timestamp}", fact)
