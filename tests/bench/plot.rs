//! A plot of lines as SVG, with both axes logarithmic: how something grows.

use std::fmt::Write as _;

/// A plot.
pub(crate) struct Plot {
    pub(crate) title: &'static str,
    pub(crate) x: &'static str,
    pub(crate) y: &'static str,
    /// Each a name and its points.
    pub(crate) lines: Vec<(&'static str, Vec<(f64, f64)>)>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 70.0;
const BOTTOM: f64 = 50.0;
const TOP: f64 = 40.0;
const RIGHT: f64 = 20.0;
const COLOURS: [&str; 4] = ["#1f6feb", "#d29922", "#8957e5", "#3fb950"];

impl Plot {
    pub(crate) fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let (left, right) = bounds(points().map(|(x, _)| *x));
        let (low, high) = bounds(points().map(|(_, y)| *y));
        let across = |x: f64| LEFT + (x.log10() - left) / (right - left).max(1.0) * (WIDTH - LEFT - RIGHT);
        let up = |y: f64| HEIGHT - BOTTOM - (y.log10() - low) / (high - low).max(1.0) * (HEIGHT - TOP - BOTTOM);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{}</text>\n",
            self.title
        );
        let mut mark = |x: f64, y: f64, anchor: &str, text: &str| {
            let _ = writeln!(svg, "<text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"{anchor}\">{text}</text>");
        };
        mark((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 12.0, "middle", self.x);
        mark(LEFT, TOP - 6.0, "start", self.y);
        for power in decades(left, right) {
            mark(across(power), HEIGHT - BOTTOM + 16.0, "middle", &power.to_string());
        }
        for power in decades(low, high) {
            mark(LEFT - 6.0, up(power) + 4.0, "end", &power.to_string());
        }
        for power in decades(low, high) {
            let _ = writeln!(
                svg,
                "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>",
                WIDTH - RIGHT,
                y = up(power)
            );
        }
        for (number, (name, points)) in self.lines.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let path: Vec<String> = points.iter().map(|(x, y)| format!("{:.1},{:.1}", across(*x), up(*y))).collect();
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                path.join(" ")
            );
            for point in &path {
                let (x, y) = point.split_once(',').unwrap_or_default();
                let _ = writeln!(svg, "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"{colour}\"/>");
            }
            #[expect(clippy::cast_precision_loss, reason = "a handful of lines")]
            let y = TOP + 14.0 * (number as f64 + 1.0);
            let _ = writeln!(svg, "<text x=\"{:.0}\" y=\"{y:.0}\" fill=\"{colour}\">{name}</text>", LEFT + 12.0);
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// The decades around all values, as powers of ten.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (least, most) = values.fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)));
    (least.log10().floor(), most.log10().ceil())
}

fn decades(from: f64, to: f64) -> impl Iterator<Item = f64> {
    #[expect(clippy::cast_possible_truncation, reason = "a power of ten between two that were rounded")]
    let (from, to) = (from as i32, to as i32);
    (from..=to).map(|power| 10_f64.powi(power))
}
