import pytest

from onethread import metrics


def test_the_text_form_has_meaning_type_labels_and_numbers() -> None:
    metrics.DEAD_LETTERS.add('chn_"x"\n\\', "normalize", "poison", by=2)
    text = metrics.exposition()
    assert "# HELP onethread_dead_letters_total Records set aside, confirmed by the log.\n" in text
    assert "# TYPE onethread_dead_letters_total counter\n" in text
    assert 'onethread_dead_letters_total{channel_id="chn_\\"x\\"\\n\\\\",stage="normalize",reason="poison"} 2\n' in text
    assert text.endswith("\n")


def test_a_gauge_goes_up_and_down_and_away() -> None:
    metrics.LAST_DURABLE.set("chn_gone", to=5)
    assert metrics.LAST_DURABLE.value("chn_gone") == 5
    metrics.LAST_DURABLE.forget("chn_gone")
    assert "chn_gone" not in metrics.exposition()


def test_a_forgotten_label_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="channel_id"):
        metrics.EVENTS.add("chn_1")


def test_every_metric_has_a_name_of_its_own_and_a_meaning() -> None:
    names = [metric.name for metric in metrics._ALL]
    assert len(names) == len(set(names))
    assert all(metric.meaning.endswith(".") and metric.name.startswith("onethread_") for metric in metrics._ALL)
