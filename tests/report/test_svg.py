import re
import xml.etree.ElementTree as ET

from spacy_synthesizrr.report.svg import INK, PAPER, SERIES, VARIABLES, color_variable, draw


def bars(figure):
    figure.subplots().barh(["sport", "science"], [1, 2], color=SERIES[0], edgecolor=PAPER)


def drawn(paint=bars, name="bars", title="Bars"):
    return draw(paint, name=name, title=title, description="Two bars.", size=(540, 200))


def test_the_same_figure_gives_the_same_bytes():
    assert drawn() == drawn()


def test_an_svg_is_well_formed_and_has_no_fixed_size():
    root = ET.fromstring(drawn())
    assert root.get("viewBox") == "0 0 540 200"
    assert root.get("width") is None


def test_a_screen_reader_finds_title_and_description():
    root = ET.fromstring(drawn(title="Bars & <more>"))
    assert root.get("role") == "img"
    names = {element.get("id"): element.text for element in root.iter() if element.get("id")}
    assert [names[one] for one in root.get("aria-labelledby").split()] == ["Bars & <more>", "Two bars."]


def test_ids_of_two_figures_do_not_clash():
    first, second = (set(re.findall(r' id="([^"]+)"', drawn(name=name))) for name in ("one", "two"))
    assert first and second
    assert not first & second


def test_every_reference_has_its_target():
    svg = drawn()
    targets = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    assert targets
    assert targets <= set(re.findall(r' id="([^"]+)"', svg))


def test_colors_are_left_to_the_page():
    svg = drawn()
    assert color_variable(SERIES[0]) == "var(--c1)"
    assert "fill: var(--c1)" in svg
    assert not any(placeholder in svg for placeholder in VARIABLES)
    assert not re.findall(r"#[0-9a-f]{6}\b", svg)


def test_a_figure_brings_no_style_sheet_no_date_and_no_font():
    svg = drawn()
    assert "<style" not in svg
    assert "<metadata" not in svg
    assert "DejaVu" not in svg


def test_text_of_a_label_is_kept_as_it_is():
    text = f'{INK} id="x" url(#y) $a$ </svg><script>'

    def paint(figure):
        figure.text(0.5, 0.5, text)

    svg = drawn(paint)
    assert "<script" not in svg
    assert text in "".join(ET.fromstring(svg).itertext())


def test_a_label_in_another_script_draws_without_a_warning():
    svg = drawn(lambda figure: figure.text(0.1, 0.5, "体育 спорт"))
    assert "体育 спорт" in svg
