//! One panel of a picture: lines over time, and marks below them.

use std::ops::Range;

use mdo_engine::metrics::{Grid, Series};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::{
    ChartBuilder, Circle, DrawingArea, DrawingBackend, LineSeries, PathElement, Rectangle,
};
use plotters::style::{Color, IntoFont, RGBColor, ShapeStyle};
use time::OffsetDateTime;
use time::macros::format_description;

/// What text is written in.
pub(crate) const FONT: &str = "sans-serif";

/// What everything stands on.
pub(crate) const BACKGROUND: RGBColor = Style::ALL[0].light;

/// What text has.
pub(crate) const TEXT: RGBColor = Style::ALL[1].light;

/// What axes have.
const AXIS: RGBColor = Style::ALL[2].light;

/// What marks have.
const MARK: RGBColor = Style::ALL[3].light;

/// How high the letters of titles and of labels are, in what plotters counts in: a little more than pixels.
const CAPTION: u32 = 17;
const LABEL: u32 = 15;

/// How wide a letter of a label is, in pixels, as a rule.
const LETTER: i32 = 7;

/// How wide the sign before a name is, with its gap.
const SIGN: i32 = 20;

/// How high the title of a panel is.
const HEAD: u32 = 28;

/// How many moments an axis names at most.
const TICKS: i64 = 9;

/// How many styles lines have before they come again.
const LINES: usize = 6;

/// A colour on a light ground, and the same on a dark one. Told apart by people who see few colours, too: Okabe and Ito's, as far as they
/// have contrast enough.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    pub(crate) light: RGBColor,
    pub(crate) dark: RGBColor,
}

impl Style {
    pub(crate) const ALL: [Self; 4 + LINES] = [
        Self { light: RGBColor(0xFF, 0xFF, 0xFE), dark: RGBColor(0x0D, 0x11, 0x17) },
        Self { light: RGBColor(0x1F, 0x23, 0x28), dark: RGBColor(0xE6, 0xED, 0xF3) },
        Self { light: RGBColor(0xC8, 0xCD, 0xD3), dark: RGBColor(0x3D, 0x44, 0x4D) },
        Self { light: RGBColor(0x8A, 0x92, 0x9C), dark: RGBColor(0x8B, 0x94, 0x9E) },
        Self { light: RGBColor(0x00, 0x5F, 0xA3), dark: RGBColor(0x56, 0xB4, 0xE9) },
        Self { light: RGBColor(0xB3, 0x5C, 0x00), dark: RGBColor(0xE6, 0x9F, 0x00) },
        Self { light: RGBColor(0xB0, 0x1E, 0x3C), dark: RGBColor(0xFF, 0x7B, 0x8A) },
        Self { light: RGBColor(0x00, 0x73, 0x56), dark: RGBColor(0x3F, 0xCB, 0xA0) },
        Self { light: RGBColor(0x8A, 0x3F, 0x80), dark: RGBColor(0xDD, 0x9A, 0xD0) },
        Self { light: RGBColor(0x5A, 0x5F, 0x12), dark: RGBColor(0xD8, 0xD0, 0x4A) },
    ];

    fn line(number: usize) -> RGBColor {
        Self::ALL[4 + number % LINES].light
    }
}

/// A panel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Panel {
    /// What it shows, with its unit.
    pub title: String,
    /// The lines.
    pub lines: Vec<Line>,
    /// What is marked below them.
    pub marks: Option<Marks>,
}

/// A line of a panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// What it is called.
    pub name: String,
    /// Its numbers.
    pub series: Series,
    /// Whether what was not measured is nothing, as of things that are counted. Else the line has gaps.
    pub counts: bool,
}

/// Spans that are marked.
#[derive(Clone, Debug, PartialEq)]
pub struct Marks {
    /// What they are called.
    pub name: String,
    /// The spans with more than nothing are marked.
    pub series: Series,
}

type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

impl Panel {
    /// Draws it into its place.
    pub(crate) fn draw<B: DrawingBackend>(&self, place: &DrawingArea<B, Shift>, grid: Grid) -> Drawn<B> {
        let ends = (moment(grid.start), moment(grid.end()));
        let greatest = self.lines.iter().filter_map(|line| line.series.greatest()).fold(0.0, f64::max);
        let top = if greatest > 0.0 { greatest * 1.1 } else { 1.0 };
        // Below zero is where marks are.
        let floor = if self.marks.is_some() { -top * 0.08 } else { 0.0 };
        let (head, body) = place.split_vertically(HEAD);
        self.draw_head(&head)?;
        let mut chart = ChartBuilder::on(&body)
            .margin_top(6)
            .margin_left(16)
            .margin_right(20)
            .margin_bottom(8)
            .x_label_area_size(24)
            .y_label_area_size(56)
            .build_cartesian_2d(Time(grid), floor..top)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(BACKGROUND)
            .bold_line_style(AXIS)
            .axis_style(AXIS)
            .label_style((FONT, LABEL).into_font().color(&TEXT))
            .x_labels(20)
            .y_labels(5)
            .x_label_formatter(&|at| label(*at, grid))
            .y_label_formatter(&|number| amount(*number))
            .draw()?;
        for (number, line) in self.lines.iter().enumerate() {
            let colour = Style::line(number);
            let style = ShapeStyle::from(colour).stroke_width(2);
            let pieces = pieces(line, grid);
            for piece in pieces {
                let lone = (piece.len() == 1).then(|| piece[0]);
                chart.draw_series(LineSeries::new(piece, style))?;
                if let Some(point) = lone {
                    chart.draw_series([Circle::new(point, 2, ShapeStyle::from(colour).filled())])?;
                }
            }
        }
        if let Some(marks) = &self.marks {
            let spans = (0..grid.count).filter(|number| marks.series.count(*number) > 0.0);
            let width = (ends.1 - ends.0) / 320.0;
            let mark = |number: usize| {
                let at = middle(grid, number);
                Rectangle::new([(at - width / 2.0, floor), (at + width / 2.0, floor * 0.3)], MARK.filled())
            };
            chart.draw_series(spans.map(mark))?;
        }
        Ok(())
    }

    /// The title, and what the lines and marks are called.
    fn draw_head<B: DrawingBackend>(&self, head: &DrawingArea<B, Shift>) -> Drawn<B> {
        head.draw_text(&self.title, &(FONT, CAPTION).into_font().color(&TEXT), (16, 8))?;
        let (right, _) = head.dim_in_pixel();
        let mut end = i32::try_from(right).unwrap_or(i32::MAX) - 20;
        let font = (FONT, LABEL).into_font().color(&TEXT);
        let lines = self.lines.iter().enumerate();
        let lines = lines.map(|(number, line)| (line.name.as_str(), Some(Style::line(number))));
        let named = lines.chain(self.marks.iter().map(|marks| (marks.name.as_str(), None)));
        // From the right, because the letters of the last one end there.
        for (name, line) in named.collect::<Vec<_>>().into_iter().rev() {
            let letters = i32::try_from(name.chars().count()).unwrap_or_default();
            let begin = end - letters * LETTER - SIGN;
            match line {
                Some(colour) => {
                    let points = vec![(begin, 15), (begin + 14, 15)];
                    head.draw(&PathElement::new(points, ShapeStyle::from(colour).stroke_width(2)))?;
                }
                None => head.draw(&Rectangle::new([(begin + 9, 11), (begin + 11, 19)], MARK.filled()))?,
            }
            head.draw_text(name, &font, (begin + SIGN, 9))?;
            end = begin - 12;
        }
        Ok(())
    }
}

/// The parts of a line without a gap.
fn pieces(line: &Line, grid: Grid) -> Vec<Vec<(f64, f64)>> {
    let mut pieces: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut goes_on = false;
    for number in 0..grid.count {
        let known = line.series.0.get(number).copied().flatten().or_else(|| line.counts.then_some(0.0));
        match (known, pieces.last_mut()) {
            (Some(value), Some(piece)) if goes_on => piece.push((middle(grid, number), value)),
            (Some(value), _) => pieces.push(vec![(middle(grid, number), value)]),
            (None, _) => {}
        }
        goes_on = known.is_some();
    }
    pieces
}

/// An axis of time, in milliseconds since 1970, that names whole moments: plotters would name round numbers of milliseconds.
struct Time(Grid);

impl Ranged for Time {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (left, right): (i32, i32)) -> i32 {
        let Range { start, end } = self.range();
        let part = (value - start) / (end - start);
        #[expect(clippy::cast_possible_truncation, reason = "it is a place on a picture")]
        let place = (part * f64::from(right - left)).round() as i32;
        left + place
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        ticks(self.0)
    }

    fn range(&self) -> Range<f64> {
        moment(self.0.start)..moment(self.0.end())
    }
}

/// The moments that an axis names: whole ones, in UTC.
fn ticks(grid: Grid) -> Vec<f64> {
    const MINUTE: i64 = 60_000;
    const WHOLE: [i64; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 7200];
    let length = grid.end() - grid.start;
    let fits = |step: &i64| length / step < TICKS;
    let step = WHOLE.map(|minutes| minutes * MINUTE).into_iter().find(fits).unwrap_or(length.max(1));
    let first = grid.start.div_euclid(step) * step;
    let all = (0..=2 * TICKS).map(|number| first + number * step);
    all.filter(|at| (grid.start..=grid.end()).contains(at)).map(moment).collect()
}

/// The middle of a span.
fn middle(grid: Grid, number: usize) -> f64 {
    moment(grid.begin(number)) + moment(grid.step) / 2.0
}

/// Milliseconds as a number to draw with.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 have 41 bits")]
fn moment(at: i64) -> f64 {
    at as f64
}

/// A moment at an axis: the time of day, or the day of longer spans.
fn label(at: f64, grid: Grid) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "it is a moment")]
    let seconds = (at / 1000.0) as i64;
    let Ok(at) = OffsetDateTime::from_unix_timestamp(seconds) else { return String::new() };
    let text = if grid.end() - grid.start > 48 * 3_600_000 {
        at.format(format_description!("[month]-[day]"))
    } else {
        at.format(format_description!("[hour]:[minute]"))
    };
    text.unwrap_or_default()
}

/// A number at an axis; nothing below zero.
fn amount(number: f64) -> String {
    match number {
        number if number < 0.0 => String::new(),
        number if number >= 1e6 => format!("{}M", short(number / 1e6)),
        number if number >= 1e4 => format!("{}k", short(number / 1e3)),
        number => short(number),
    }
}

fn short(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
