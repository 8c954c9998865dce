"""What is typed into a long form is kept by itself: for its writer, without secrets, until sent."""

from datetime import timedelta

import pytest
from django import forms
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from inventory.foundation.drafts import KEPT, LARGEST, TooLongToKeep, draft_of, keep_draft
from inventory.foundation.forms import PortalForm
from inventory.foundation.models import FormDraft, IdempotencyKey, Project, User
from tests.cast import NOW
from tests.orchestra.pages import typed
from tests.orchestra.world import Catalogue, make_catalogue


@pytest.fixture
def catalogue(project: Project, finance: User, second_finance: User) -> Catalogue:
    return make_catalogue(
        organisation=project.organisation,
        project=project,
        finance=finance,
        second_finance=second_finance,
    )


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


class Secretive(PortalForm):
    """A form of every kind of field that there is."""

    name = forms.CharField()
    kinds = forms.MultipleChoiceField(choices=[("a", "A"), ("b", "B")])
    is_open = forms.BooleanField(required=False)
    password = forms.CharField(widget=forms.PasswordInput)
    paper = forms.FileField()
    idempotency_key = forms.CharField(widget=forms.HiddenInput)
    version = forms.IntegerField(widget=forms.HiddenInput)


def test_secrets_files_and_hidden_marks_are_not_part_of_a_draft() -> None:
    sent = QueryDict(
        "name=web&kinds=a&kinds=b&password=hunter2&paper=x&idempotency_key=k&version=3&strange=1"
    )

    kept = Secretive().typed(sent)

    assert kept == {"name": ["web"], "kinds": ["a", "b"], "version": ["3"]}


def test_a_draft_is_taken_up_as_it_was_typed() -> None:
    form = Secretive(initial={"name": "old", "is_open": True, "version": 7})

    form.take_up({"name": ["w<b"], "kinds": ["a", "b"], "version": ["3"]})

    assert form["name"].value() == "w<b"
    assert form["kinds"].value() == ["a", "b"]
    assert form["is_open"].value() is False
    assert str(form["version"].value()) == "3"


def test_the_request_form_keeps_offers_continues_and_discards(
    catalogue: Catalogue, member: User
) -> None:
    client = signed_in(member)
    address = reverse("orchestra:request-new", args=[catalogue.offering.slug])
    values = typed(catalogue, name="half-typ", business_reason="Because <b>")

    kept = client.post(f"{address}?draft=keep", values)
    assert kept.status_code == 200
    assert "data-draft-kept" in kept.text

    offer = client.get(address)
    assert "You have a draft of this form" in offer.text
    assert "half-typ" not in offer.text

    again = client.get(f"{address}?draft=continue")
    assert 'value="half-typ"' in again.text
    assert "Because &lt;b&gt;" in again.text

    gone = client.post(f"{address}?draft=discard")
    assert (gone.status_code, gone["Location"]) == (302, address)
    assert not FormDraft.objects.exists()
    assert "You have a draft" not in client.get(address).text


def test_a_refused_form_keeps_its_draft_and_what_was_typed_and_a_sent_one_loses_it(
    catalogue: Catalogue, member: User
) -> None:
    client = signed_in(member)
    address = reverse("orchestra:request-new", args=[catalogue.offering.slug])
    client.post(f"{address}?draft=keep", typed(catalogue, name="Not Right"))

    wrong = client.post(address, typed(catalogue, name="Not Right"))
    assert wrong.status_code == 400
    assert 'value="Not Right"' in wrong.text
    assert 'href="#id_name"' in wrong.text
    assert draft_of(user=member, path=address) is not None

    sent = client.post(address, typed(catalogue, name="web"))
    assert sent.status_code == 302
    assert draft_of(user=member, path=address) is None


def test_a_draft_is_its_writers_alone(catalogue: Catalogue, member: User, owner: User) -> None:
    address = reverse("orchestra:request-new", args=[catalogue.offering.slug])
    signed_in(member).post(f"{address}?draft=keep", typed(catalogue, name="mine"))

    page = signed_in(owner).get(f"{address}?draft=continue").text

    assert "mine" not in page
    assert "You have a draft" not in page


def test_who_may_not_use_the_form_keeps_no_draft_of_it(catalogue: Catalogue, auditor: User) -> None:
    address = reverse("orchestra:request-new", args=[catalogue.offering.slug])

    answer = signed_in(auditor).post(f"{address}?draft=keep", typed(catalogue, name="web"))

    assert answer.status_code == 403
    assert not FormDraft.objects.exists()


def test_one_draft_a_form_and_the_last_one_typed(member: User) -> None:
    for name in ("a", "ab"):
        keep_draft(user=member, path="/x/", data={"name": [name]}, at=NOW)

    assert FormDraft.objects.get().data == {"name": ["ab"]}


def test_what_was_sent_meanwhile_leaves_no_draft(member: User) -> None:
    IdempotencyKey.objects.create(
        user=member, key="k", scope="/x/", request_sha256="0", created_at=NOW
    )

    assert keep_draft(user=member, path="/x/", data={"name": ["a"]}, at=NOW, key="k") is None
    assert not FormDraft.objects.exists()


def test_a_draft_holds_so_much_and_so_long(member: User) -> None:
    keep_draft(user=member, path="/old/", data={"name": ["a\x00b"]}, at=NOW)
    assert FormDraft.objects.get().data == {"name": ["ab"]}

    with pytest.raises(TooLongToKeep, match="too long"):
        keep_draft(user=member, path="/x/", data={"name": ["a" * LARGEST]}, at=NOW)
    late = NOW + KEPT + timedelta(seconds=1)
    keep_draft(user=member, path="/x/", data={"name": ["a"]}, at=late)

    assert [draft.path for draft in FormDraft.objects.all()] == ["/x/"]
