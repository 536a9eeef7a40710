//! What a picture shows, as text.

use mdo_engine::metrics::{Grid, Series};

use super::*;

const GRID: Grid = Grid { start: 1_795_773_600_000, step: 300_000, count: 4 };

fn line(name: &str, numbers: [Option<u32>; 4], counts: bool) -> Line {
    Line {
        name: name.to_owned(),
        series: Series(numbers.map(|number| number.map(f64::from)).to_vec()),
        counts,
    }
}

/// The elements of a picture that begin with a word, each on its line.
fn elements<'a>(picture: &'a str, word: &str) -> Vec<&'a str> {
    let begin = format!("<{word} ");
    picture.lines().filter(|line| line.starts_with(&begin)).collect()
}

#[test]
fn a_line_has_gaps_where_nothing_was_measured_and_a_count_is_zero_there() {
    let numbers = [Some(1), None, Some(3), Some(2)];
    let panel = |counts| Panel { title: "T".into(), lines: vec![line("x", numbers, counts)], marks: None };
    let pieces = |counts| {
        let picture = draw(&[panel(counts)], GRID, "t");
        elements(&picture, "polyline").into_iter().filter(|line| line.contains("#005FA3")).count()
    };
    // The legend is one of them. A lone point is a circle.
    assert_eq!((pieces(true), pieces(false)), (2, 3));
    assert_eq!(elements(&draw(&[panel(false)], GRID, "t"), "circle").len(), 1);
}

#[test]
fn a_picture_has_a_name_and_is_dark_for_who_prefers_that() {
    let picture = draw(&[], GRID, "shop & <co>");
    assert!(picture.starts_with("<svg width=\"960\" height=\"44\""), "{picture}");
    assert!(picture.contains(" role=\"img\"><title>shop &amp; &lt;co&gt;</title><style>@media"), "{picture}");
    assert!(picture.contains("[fill=\"#FFFFFE\"]{fill:#0D1117}"), "{picture}");
    assert!(picture.trim_end().ends_with("</svg>"), "{picture}");
}

#[test]
fn every_colour_has_one_for_the_dark() {
    let panel = Panel {
        title: "T".into(),
        lines: ["a", "b", "c"].map(|name| line(name, [Some(1); 4], true)).to_vec(),
        marks: Some(Marks { name: "m".into(), series: Series(vec![Some(1.0); 4]) }),
    };
    let picture = draw(&[panel], GRID, "t");
    let known: Vec<String> = Style::ALL.iter().map(|style| hex(style.light)).collect();
    for (at, _) in picture.match_indices("=\"#") {
        let colour = &picture[at + 2..at + 9];
        let is_of_style = picture[..at].ends_with("[fill") || picture[..at].ends_with("[stroke");
        assert!(is_of_style || known.iter().any(|known| known == colour), "{colour}");
    }
    for text in ["a", "b", "c", "m", "T", "10:00", "10:20"] {
        assert!(picture.lines().any(|line| line.trim() == text), "{text}: {picture}");
    }
}
