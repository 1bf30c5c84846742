"""What is kept of a benchmark, and the page that is made of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks import format_page, tuning_page, tuning_plots
from benchmarks.check import Check
from benchmarks.client_results import ClientRun, Clients, Task, Work
from benchmarks.format_join import FormatWorkload
from benchmarks.format_results import LibraryFigures
from benchmarks.knobs import KNOBS
from benchmarks.machine import About
from benchmarks.page import render, render_clients
from benchmarks.pairs import Pairs
from benchmarks.percentiles import Percentiles
from benchmarks.results import (
    Formats,
    Guarantees,
    Latency,
    Lone,
    Part,
    Profile,
    Recovery,
    Restore,
    Results,
    Runs,
    SteadyLoad,
    Takeover,
    Takeovers,
    save,
)
from benchmarks.risk_results import Counted, CountedRate, Counts, DetectorSpeed, DetectorSpeeds
from benchmarks.runner import Run
from benchmarks.sampling import Figures
from benchmarks.tuning_results import Detection, Point, Tuning, Varied
from benchmarks.windows import Kind, Windows
from benchmarks.workload import Workload
from streamapp.formats.named import FormatName

ABOUT = About("make bench", "2026-11-21 08:00 UTC", "2 cores", {"Kafka": "4.3.1"}, "c0ffee")
FIGURES = Figures(
    records=1_000,
    start_up=2.5,
    seconds=4.0,
    per_s=1_000.0,
    steady_per_s=1_100.0,
    cpu_us=5.0,
    steady_cpu_us=4.0,
    broker_us=3.0,
    peak_mb=100.0,
    others=0.02,
)
WORKLOAD = Workload(10, 1_000)
PAIRS = Pairs(10, 500)
TUMBLING, SESSION, LOOK_BACK, ENRICH = (Windows(10, 2_000, kind, 60_000_000) for kind in Kind)
RIGHT = Check(1_000, 0, 0, 0)


def run(peer: str, per_s: float, *, check: Check = RIGHT, workload: Workload | Windows = WORKLOAD) -> Run:
    return Run(peer, workload, dataclasses.replace(FIGURES, per_s=per_s), check, [(0.0, 0), (4.0, 1_000)])


def rows(page: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]


def row(page: str, first: str) -> list[str]:
    return next(cells for cells in rows(page) if cells[0] == first)


AGAIN = dataclasses.replace(FIGURES, per_s=4_321.0, steady_cpu_us=2.5)
POINT = Point("0 ms", 3_000.0, 5.0, 100.0, Percentiles.of([3.0]), 6.0, 7.0, 40.0, "right")
OTHER = Point("50 ms", 4_000.0, 5.0, 100.0, Percentiles.of([2.9]), 6.0, 7.0, 40.0, "right")
LIBRARIES = [
    LibraryFigures(library, size, size * cost, 1.0, size * cost, 0.5, size * share, size * share / 4)
    for size in (100, 1_000)
    for library, cost, share in (("json", 0.4, 1.0), ("msgspec, JSON", 0.05, 1.0), ("protobuf", 0.1, 0.5))
]
JOINS = [
    Run(f"streamapp-{kind}", FormatWorkload(10, 1_000, kind=kind), dataclasses.replace(FIGURES, per_s=per_s), RIGHT, [])
    for kind, per_s in ((FormatName.JSON, 4_000.0), (FormatName.PROTOBUF, 3_000.0))
]
TASK = Task(Work.PRODUCE, 100, "lz4", "1", 9)
RESULTS = {
    Part.THROUGHPUT: Runs(ABOUT, [run("streamapp", 3_000.0)], {"pathway": "not today"}),
    Part.PAIRS: Runs(ABOUT, [Run("streamapp", PAIRS, FIGURES, RIGHT, [(0.0, 0), (4.0, 1_000)])], {}),
    Part.WINDOWS: Runs(
        ABOUT, [run("streamapp", 1_000.0, workload=load) for load in (TUMBLING, SESSION, LOOK_BACK, ENRICH)], {}
    ),
    Part.LATENCY: Latency(
        ABOUT,
        {"streamapp": Lone(Percentiles.of([1.0]), Percentiles.of([2.0]))},
        Lone(Percentiles.of([0.5]), Percentiles.of([0.4])),
        {"streamapp": SteadyLoad(20_000, 10.0, Percentiles.of([3.0]), 7, 5)},
        SteadyLoad(20_000, 10.0, Percentiles.of([1.5]), 0, 0),
        {},
    ),
    Part.GUARANTEES: Guarantees(
        ABOUT,
        [
            run("streamapp", 3_000.0),
            run("streamapp_exactly_once", 2_850.0),
            run("kafka_streams_exactly_once", 950.0),
        ],
        {},
        {"streamapp_exactly_once": Lone(Percentiles.of([60.0]), Percentiles.of([50.0]))},
    ),
    Part.USERS: Runs(ABOUT, [dataclasses.replace(run("streamapp", 3_000.0), again=AGAIN)], {}),
    Part.SIZES: Runs(ABOUT, [run("streamapp", 3_000.0)], {}),
    Part.PARTITIONS: Runs(ABOUT, [run("streamapp", 3_000.0)], {}),
    Part.RECOVERY: Recovery(ABOUT, 1_000, [Restore("memory://", False, 1_000, 0.5, 1.5, 90.0)]),
    Part.TAKEOVER: Takeovers(ABOUT, [Takeover(True, False, 2_000, 1_000, 0.5, over) for over in (1.0, 1.5)]),
    Part.RISK: Counts(
        ABOUT,
        {
            "streamapp_risk": Counted(
                [CountedRate(2_000, 10.0, Percentiles.of([4.0]), 3, 90.0), CountedRate(20_000, 10.0, None, 9, 60.0)],
                backlog=1_000,
                per_s=12_345.0,
                backlog_cpu_us=50.0,
                peak_mb=200.0,
                results=2_000,
                wrong=1,
            )
        },
        {},
    ),
    Part.SENSORS: DetectorSpeeds(ABOUT, [DetectorSpeed("numba", 250, 0.12, 1.5)]),
    Part.FORMATS: Formats(ABOUT, LIBRARIES, Runs(ABOUT, JOINS, {})),
    Part.TUNING: Tuning(
        {
            "linger": Varied(ABOUT, 1_000, 10_000, 5.0, [POINT, OTHER], []),
            "session-timeout": Varied(ABOUT, 1_000, 10_000, 5.0, [], [Detection("10 s", {"killed": 10.6})]),
        }
    ),
    Part.PROFILE: Profile(ABOUT, 1_000, 10, {"f (a.py)": 10}, {"interpreter": 10}),
    Part.CLIENTS: Clients(ABOUT, [ClientRun("aiokafka", TASK, 5_000.0, 7.0, True)], {}),
}


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    for part, result in RESULTS.items():
        save(tmp_path, part, result)
    assert dataclasses.asdict(Results.load(tmp_path)) == {
        part: dataclasses.asdict(cast("Any", result)) for part, result in RESULTS.items()
    }


def test_a_part_that_is_not_run_again_keeps_its_figures(tmp_path: Path) -> None:
    save(tmp_path, Part.USERS, Runs(ABOUT, [run("streamapp", 1.0)], {}))
    save(tmp_path, Part.SIZES, Runs(ABOUT, [run("streamapp", 2.0)], {}))
    save(tmp_path, Part.SIZES, Runs(ABOUT, [run("streamapp", 3.0)], {}))
    results = Results.load(tmp_path)
    assert results.users is not None
    assert results.sizes is not None
    assert (results.users.runs[0].figures.per_s, results.sizes.runs[0].figures.per_s) == (1.0, 3.0)


def test_percentiles_are_of_the_times_themselves() -> None:
    times = [float(time) for time in range(200)]
    assert Percentiles.of(times[::-1]) == Percentiles(number=200, p50=100.0, p90=180.0, p99=198.0, most=199.0)


def test_the_page_says_what_was_not_measured() -> None:
    assert render(Results()).count("Not measured yet.") == 19


def test_the_page_of_the_clients_has_the_median_of_each_task() -> None:
    some = [ClientRun("aiokafka", TASK, per_s, 7.0, True) for per_s in (1_000.0, 5_000.0, 9_000.0)]
    page = render_clients(Results(clients=Clients(ABOUT, some, {})))
    assert row(page, "produce, 100 bytes, lz4, acks 1") == ["produce, 100 bytes, lz4, acks 1", "5,000 (7.0)"]


def test_the_page_of_the_clients_says_what_a_connection_is_worth_that_is_kept() -> None:
    works = {Work.ONE_BY_ONE: 900.0, Work.CONNECT: 200.0}
    some = [ClientRun("aiokafka", Task(work, 100, "none", "all", 9), of, 7.0, True) for work, of in works.items()]
    page = render_clients(Results(clients=Clients(ABOUT, some, {})))
    assert row(page, "one connection, as fast as a connection each")[1] == "4.5 times"


def test_the_page_of_the_clients_leaves_out_what_a_client_does_not_do() -> None:
    other = Task(Work.CONSUME, 100, "none", "all", 9)
    some = [ClientRun("aiokafka", TASK, 5.0, 7.0, True), ClientRun("confluent_tuned", other, 5.0, 7.0, True)]
    page = render_clients(Results(clients=Clients(ABOUT, some, {})))
    assert row(page, str(TASK)) == [str(TASK), "5 (7.0)", ""]


def test_the_page_of_the_clients_has_what_is_quoted_beside_what_is_measured() -> None:
    page = render_clients(Results(clients=Clients(ABOUT, [ClientRun("aiokafka", TASK, 1.0, 7.0, True)], {})))
    assert row(page, "quoted in articles") == ["quoted in articles", "78,000"]


def test_the_page_of_the_clients_gives_no_figure_where_messages_are_missing() -> None:
    page = render_clients(Results(clients=Clients(ABOUT, [ClientRun("aiokafka", TASK, 1.0, 7.0, False)], {})))
    assert row(page, "produce, 100 bytes, lz4, acks 1")[1] == "wrong"


def test_the_page_has_a_table_for_each_part_with_its_origin(tmp_path: Path) -> None:
    for part, result in RESULTS.items():
        save(tmp_path, part, result)
    page = render(Results.load(tmp_path))
    assert "Not measured yet." not in page
    assert (
        page.count("`make bench`, 2026-11-21 08:00 UTC, commit c0ffee; 2 cores; Kafka 4.3.1.")
        == len(set(Part) - {Part.TUNING, Part.CLIENTS}) + len(Kind) - 1  # which have pages of their own
    )


def test_the_page_says_how_long_it_took_to_count_transactions_at_each_rate() -> None:
    page = render(Results(risk=cast("Counts", RESULTS[Part.RISK])))
    whole = [cells[1:] for cells in rows(page) if cells[0] == "streamapp, the whole pipeline"]
    assert whole == [
        ["4.0", "4.0", "4.0", "4.0", "1", "3", "90"],
        ["", "", "", "", "0", "9", "60"],
        ["12,345", "1,000", "50", "200", "2,000", "1"],
    ]


def test_programs_come_fastest_first_with_how_many_times_as_fast_streamapp_is() -> None:
    runs = [run("faust", 50.0), run("streamapp", 3_000.0), run("kafka_streams", 1_500.0)]
    page = render(Results(throughput=Runs(ABOUT, runs, {})))
    shown = [cells[:3] for cells in rows(page) if cells[0] in {"**streamapp**", "Kafka Streams", "untouched Faust"}]
    assert shown[:3] == [
        ["**streamapp**", "3,000", "1.0"],
        ["Kafka Streams", "1,500", "2.0"],
        ["untouched Faust", "50", "60.0"],
    ]


def test_a_program_has_the_median_of_its_rounds() -> None:
    runs = [run("streamapp", rate) for rate in (100.0, 300.0, 900.0)]
    page = render(Results(throughput=Runs(ABOUT, runs, {})))
    assert row(page, "**streamapp**")[1] == "300"
    assert "3 rounds" in page


def test_one_wrong_output_of_a_program_is_shown() -> None:
    runs = [run("faust", 50.0), run("faust", 50.0, check=Check(950, 50, 0, 0))]
    assert row(render(Results(throughput=Runs(ABOUT, runs, {}))), "untouched Faust")[-1] == "50 missing of 1,000"


def test_a_program_that_was_left_out_is_named_with_the_reason() -> None:
    page = render(Results(throughput=Runs(ABOUT, [run("faust", 1.0)], {"kafka_streams": "mvn not found"})))
    assert "Left out: Kafka Streams: mvn not found." in page


def test_a_program_that_was_given_fewer_clicks_is_named() -> None:
    runs = [run("streamapp", 3_000.0), run("faust", 50.0, workload=Workload(10, 100))]
    assert "1,000 clicks (untouched Faust: 100)," in render(Results(throughput=Runs(ABOUT, runs, {})))


def test_restored_rows_a_second_are_those_of_the_worker() -> None:
    page = render(Results(recovery=RESULTS[Part.RECOVERY]))  # type: ignore[arg-type]
    assert row(page, "`memory://`, empty") == ["`memory://`, empty", "1,000", "0.50", "2,000", "1.5", "90"]


def test_the_slowest_takeover_is_shown() -> None:
    page = render(Results(takeover=RESULTS[Part.TAKEOVER]))  # type: ignore[arg-type]
    assert ["exactly once", "1,000", "no", "0.50", "1.50", "1,000"] in rows(page)


@pytest.mark.parametrize(("number", "shown"), [(100, True), (9, False)])
def test_functions_below_a_hundredth_are_not_shown(number: int, shown: bool) -> None:
    profile = Profile(ABOUT, 1_000, 1_000, {"f (a.py)": number}, {})
    assert ("f (a.py)" in render(Results(profile=profile))) is shown


def test_figures_of_windows_are_those_of_transactions() -> None:
    page = render(Results(windows=Runs(ABOUT, [run("streamapp", 1_000.0, workload=LOOK_BACK)], {})))
    ours = dict(zip(row(page, ""), row(page, "**streamapp**"), strict=True))
    # A thousand results of two thousand transactions, of which a sixtieth are read before the first result.
    assert ours["records/s"] == "1,967"
    assert (ours["steady/s"], ours["with start/s"], ours["CPU µs"], ours["broker µs"]) == ("2,200", "500", "2.5", "1.5")


def test_nothing_comes_late_of_a_program_that_gives_each_change() -> None:
    runs = [run(peer, 1_000.0, workload=TUMBLING) for peer in ("kafka_streams", "kafka_streams_updates")]
    page = render(Results(windows=Runs(ABOUT, runs, {})))
    assert row(page, "Kafka Streams")[1] == f"{2_000 * (1 - 70_000 / 600_000):,.0f}"
    assert row(page, "Kafka Streams, each change")[1] == "2,000"


def test_exactly_once_programs_are_compared_with_themselves_and_each_other() -> None:
    page = render(Results(guarantees=RESULTS[Part.GUARANTEES]))  # type: ignore[arg-type]
    assert row(page, "streamapp, exactly once")[1:4] == ["2,850", "95%", "1.0"]
    assert row(page, "streamapp, exactly once")[-3:] == ["60.0", "60.0", "right"]
    assert row(page, "Kafka Streams, exactly once")[1:4] == ["950", "", "3.0"]


def test_a_run_with_the_table_that_is_there_has_columns_of_its_own(tmp_path: Path) -> None:
    for part, result in RESULTS.items():
        save(tmp_path, part, result)
    measured = rows(render(Results.load(tmp_path)))
    heads = next(cells for cells in measured if cells[0] == "users")
    ours = measured[measured.index(heads) + 2]
    assert dict(zip(heads, ours, strict=True))["again: joined/s"] == "4,321"
    assert "again: joined/s" not in next(cells for cells in measured if cells[0] == "partitions")


def test_programs_are_compared_at_each_size_of_the_clicks_that_they_were_given() -> None:
    small, large = Workload(10, 1_000, click_bytes=100), Workload(10, 1_000, click_bytes=1_000)
    runs = [
        run("streamapp", 3_000.0, workload=small),
        run("streamapp", 900.0, workload=large),
        run("kafka_streams", 700.0, workload=small),
    ]
    measured = rows(render(Results(sizes=Runs(ABOUT, runs, {}))))
    at = measured.index(["joined/s", "100 bytes", "1,000 bytes"])
    assert measured[at + 2 :] == [["streamapp", "3,000", "900"], ["Kafka Streams", "700", ""]]
    assert [cells[0] for cells in measured[:at] if cells[0].replace(",", "").isdigit()] == ["100", "1,000"]


def test_the_page_of_the_settings_has_those_that_were_varied_and_a_plot_of_each(tmp_path: Path) -> None:
    tuning = cast("Tuning", RESULTS[Part.TUNING])
    page = tuning_page.render(tuning)
    assert row(page, "**0 ms**") == ["**0 ms**", "3,000", "5.0", "100", "3.0", "3.0", "6.0", "7.0", "40", "right"]
    assert row(page, "**10 s**") == ["**10 s**", "10.6"]
    assert row(page, "`linger.ms`")[4] == "3,000/s (most: 4,000 at 50 ms), p99 3.0 ms (least: this), 100 MB"
    assert page.count("Not measured yet.") == 2 * (len(KNOBS) - 2)
    tuning_plots.draw(tuning, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"tuning-linger.svg", "tuning-session-timeout.svg"}
    assert all(f"](benchmarks/{file.name})" in page for file in tmp_path.iterdir())


def test_the_page_of_the_settings_has_no_plots_before_they_are_varied() -> None:
    assert "](benchmarks/tuning" not in tuning_page.render(None)


def test_protobuf_is_compared_with_json_in_two_sentences() -> None:
    text = format_page.answer(LIBRARIES)
    assert text.startswith("**Is Protobuf three to five times as fast as JSON?** For records of 100 and 1,000 bytes,")
    assert (
        "is 4.0 and 4.0 times as fast as Python's own `json`, and 0.5 and 0.5 times as fast as msgspec's JSON." in text
    )
    assert text.endswith("a record has 50% and 50% of JSON's, and 50% and 50% once a batch is compressed.")


def test_libraries_are_shown_at_each_size_and_joins_beside_that_of_json() -> None:
    shown = rows(format_page.render(cast("Formats", RESULTS[Part.FORMATS])))
    protobuf = [cells[1:] for cells in shown if cells[0] == "protobuf"]
    assert protobuf[0] == ["10.00", "1.00", "10.00", "0.50", "50", "12"]
    assert protobuf[2][1:] == ["3,000", "75%", "5.0", "100", "right"]


def test_figures_of_formats_take_the_place_of_earlier_ones_on_their_page(tmp_path: Path) -> None:
    page = tmp_path / "formats.md"
    page.write_text(f"# Formats\n\n{format_page.BEGIN}\nearlier\n{format_page.END}\n\nmore\n")
    for _ in range(2):
        format_page.insert(page, cast("Formats", RESULTS[Part.FORMATS]))
    text = page.read_text()
    assert (text.startswith("# Formats\n"), text.endswith("\n\nmore\n"), "earlier" in text) == (True, True, False)
    assert format_page.answer(LIBRARIES) in text


def test_a_page_without_a_place_for_the_figures_is_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "formats.md"
    page.write_text("# Formats\n")
    format_page.insert(page, cast("Formats", RESULTS[Part.FORMATS]))
    assert page.read_text() == "# Formats\n"
    assert "has no place for the figures" in capsys.readouterr().out
