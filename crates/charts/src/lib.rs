//! How a stage is doing as pictures: what was measured goes in, SVG comes out. Terminal, file and console show the same, so this is a room
//! of its own: it knows what is measured, and neither who measures it nor who shows it.
//!
//! The pictures are light, and dark where who shows them prefers that.

mod panel;
mod panels;

use mdo_engine::metrics::Measurement;
use plotters::prelude::{IntoDrawingArea, SVGBackend};
use plotters::style::{Color, IntoFont};

use self::panel::{BACKGROUND, FONT, Style, TEXT};
pub use self::panel::{Line, Marks, Panel};
pub use self::panels::panels;

/// How wide a picture is, in pixels.
const WIDTH: u32 = 960;

/// How high each panel is.
const HEIGHT: u32 = 220;

/// How much the title takes.
const TITLE: u32 = 44;

/// The pictures of what was measured, one below the other, under a title.
pub fn svg(measured: &Measurement, title: &str) -> String {
    let (start, end) = (measured.grid.start, measured.grid.end());
    let title = format!("{title} · {} to {} UTC", day_and_minute(start), day_and_minute(end));
    draw(&panels(measured), measured.grid, &title)
}

/// Some panels as one picture.
pub fn draw(panels: &[Panel], grid: mdo_engine::metrics::Grid, title: &str) -> String {
    let count = u32::try_from(panels.len()).unwrap_or_default();
    let mut picture = String::new();
    {
        let area = SVGBackend::with_string(&mut picture, (WIDTH, TITLE + count * HEIGHT)).into_drawing_area();
        // A string takes whatever is written, and so these do not fail.
        let _ = area.fill(&BACKGROUND);
        let font = (FONT, 20).into_font().color(&TEXT);
        let _ = area.draw_text(title, &font, (16, 14));
        let (_, rest) = area.split_vertically(TITLE);
        for (panel, place) in panels.iter().zip(rest.split_evenly((panels.len().max(1), 1))) {
            let _ = panel.draw(&place, grid);
        }
        let _ = area.present();
    }
    dressed(&picture, title)
}

/// The picture with a name for who does not see it, and colours for who prefers dark ones.
fn dressed(picture: &str, title: &str) -> String {
    let dark: String = Style::ALL
        .iter()
        .flat_map(|style| {
            let (light, dark) = (hex(style.light), hex(style.dark));
            ["fill", "stroke"].map(|what| format!("[{what}=\"{light}\"]{{{what}:{dark}}}"))
        })
        .collect();
    let style = format!("<style>@media (prefers-color-scheme:dark){{{dark}}}</style>");
    match picture.split_once('>') {
        Some((head, rest)) => {
            format!("{head} role=\"img\"><title>{}</title>{style}{rest}", escape(title))
        }
        None => picture.to_owned(),
    }
}

/// A moment as `2026-11-28 02:22`, in UTC.
fn day_and_minute(at: mdo_engine::logs::Millis) -> String {
    let moment = time::OffsetDateTime::from_unix_timestamp(at.div_euclid(1000));
    let form = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]");
    moment.ok().and_then(|moment| moment.format(form).ok()).unwrap_or_default()
}

fn hex(colour: plotters::style::RGBColor) -> String {
    let (red, green, blue) = colour.to_rgba().rgb();
    format!("#{red:02X}{green:02X}{blue:02X}")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
