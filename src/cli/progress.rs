//! Progress on stderr: bars on a terminal, otherwise one line every few seconds.
//!
//! Defines how progress looks. The numbers come from `report::progress`. Nothing is written to stdout.

use std::io::{IsTerminal as _, Write};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::engine::{ProgressState, ScenarioProgress};
use crate::report::terminal::{Style, no_command, safe};

/// Interval of lines if there is no terminal.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
/// Resolution of a bar.
const STEPS: u64 = 1000;

/// How to show progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Bars that are redrawn in place.
    Bars(Style),
    /// A line every few seconds.
    Plain,
    /// No progress.
    Quiet,
}

impl Mode {
    /// The mode of this process: quiet if requested, bars if the terminal can move its cursor, otherwise
    /// lines.
    pub fn detect(quiet: bool) -> Self {
        let env = |name: &str| std::env::var(name).ok();
        Self::choose(quiet, std::io::stderr().is_terminal(), env)
    }

    fn choose(quiet: bool, is_terminal: bool, env: impl Fn(&str) -> Option<String>) -> Self {
        if quiet {
            Self::Quiet
        } else if is_terminal && env("TERM").is_none_or(|term| term != "dumb") {
            Self::Bars(Style::detect(is_terminal, None, env))
        } else {
            Self::Plain
        }
    }
}

/// The progress of one run.
pub struct RunDisplay {
    view: DisplayStyle,
}

enum DisplayStyle {
    Bars { all: MultiProgress, style: Style, bars: Vec<(String, ProgressBar)> },
    Plain { out: Box<dyn Write + Send>, last: Option<Instant>, ended: Vec<String> },
    Quiet,
}

impl RunDisplay {
    pub fn new(mode: Mode) -> Self {
        let view = match mode {
            Mode::Bars(style) => DisplayStyle::Bars {
                all: MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)),
                style,
                bars: Vec::new(),
            },
            Mode::Plain => {
                DisplayStyle::Plain { out: Box::new(std::io::stderr()), last: None, ended: Vec::new() }
            }
            Mode::Quiet => DisplayStyle::Quiet,
        };
        Self { view }
    }

    /// Updates the progress of the scenarios. May be called at any rate.
    pub fn update(&mut self, scenarios: &[ScenarioProgress]) {
        match &mut self.view {
            DisplayStyle::Bars { all, style, bars } => {
                for scenario in scenarios {
                    let at = bars.iter().position(|(name, _)| *name == scenario.name).unwrap_or_else(|| {
                        bars.push((scenario.name.clone(), all.add(new_bar(*style))));
                        bars.len() - 1
                    });
                    show(&bars[at].1, scenario, scenarios);
                }
            }
            DisplayStyle::Plain { out, last, ended } => {
                let due = last.is_none_or(|at| at.elapsed() >= PLAIN_EVERY);
                for scenario in scenarios {
                    let over = scenario.state == ProgressState::Ended && !ended.contains(&scenario.name);
                    if over {
                        ended.push(scenario.name.clone());
                    }
                    if over || (due && scenario.state == ProgressState::Running) {
                        let line = format!("{}: {}", scenario.label(), scenario.line());
                        let _ = writeln!(out, "{}", no_command(&line));
                    }
                }
                if due {
                    *last = Some(Instant::now());
                }
            }
            DisplayStyle::Quiet => {}
        }
    }

    /// Prints a line above the bars.
    pub fn message(&mut self, text: &str) {
        let text = no_command(&safe(text)).into_owned();
        match &mut self.view {
            DisplayStyle::Bars { all, .. } => {
                let _ = all.println(text);
            }
            DisplayStyle::Plain { out, .. } => {
                let _ = writeln!(out, "{text}");
            }
            DisplayStyle::Quiet => {}
        }
    }

    /// Removes the bars, so that only the result stays visible. Later calls print nothing.
    pub fn finish(&mut self) {
        match &mut self.view {
            DisplayStyle::Bars { all, bars, .. } => {
                for (_, bar) in bars.drain(..) {
                    bar.finish_and_clear();
                }
                let _ = all.clear();
            }
            DisplayStyle::Plain { out, .. } => {
                let _ = out.flush();
            }
            DisplayStyle::Quiet => {}
        }
        self.view = DisplayStyle::Quiet;
    }
}

impl Drop for RunDisplay {
    fn drop(&mut self) {
        self.finish();
    }
}

fn new_bar(style: Style) -> ProgressBar {
    let bar = ProgressBar::new(STEPS);
    let template = if style.colour {
        "  {prefix} {bar:14.cyan/dim} {wide_msg}"
    } else {
        "  {prefix} {bar:14} {wide_msg}"
    };
    let chars = if style.unicode { "━╸─" } else { "=>-" };
    if let Ok(look) = ProgressStyle::with_template(template) {
        bar.set_style(look.progress_chars(chars));
    }
    bar
}

fn show(bar: &ProgressBar, scenario: &ScenarioProgress, all: &[ScenarioProgress]) {
    let width = all.iter().map(|s| s.label().chars().count()).max().unwrap_or(0);
    bar.set_prefix(format!("{:width$}", scenario.label()));
    bar.set_message(scenario.line());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of STEPS, from 0 to 1"
    )]
    bar.set_position((scenario.share() * crate::report::format::float(STEPS)) as u64);
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::plan::ScenarioKind;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn scenario(state: ProgressState) -> ScenarioProgress {
        ScenarioProgress {
            name: "write".to_owned(),
            kind: ScenarioKind::Produce,
            done: 10,
            limit: Some(20),
            elapsed: Duration::from_secs(1),
            bound: Duration::from_secs(9),
            state,
            rate_per_s: 10.0,
            p95_ms: None,
            errors: 0,
        }
    }

    #[test]
    fn plain_lines_come_now_and_then_and_at_each_end() {
        let sink = Sink::default();
        let view = DisplayStyle::Plain { out: Box::new(sink.clone()), last: None, ended: Vec::new() };
        let mut progress = RunDisplay { view };
        progress.update(&[scenario(ProgressState::Running)]);
        progress.update(&[scenario(ProgressState::Running)]);
        progress.message("a\x1bb");
        progress.update(&[scenario(ProgressState::Ended)]);
        progress.update(&[scenario(ProgressState::Ended)]);
        progress.finish();
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text, "write: 10 of 20, 10/s, 1 s left\na\u{fffd}b\nwrite: 10 of 20, ended\n");
    }

    #[test]
    fn bars_need_a_terminal() {
        let none = |_: &str| None;
        assert_eq!(Mode::choose(true, true, none), Mode::Quiet);
        assert_eq!(Mode::choose(false, false, none), Mode::Plain);
        assert_eq!(Mode::choose(false, true, |_| Some("dumb".to_owned())), Mode::Plain);
        assert!(matches!(Mode::choose(false, true, none), Mode::Bars(style) if style.colour));
        let no_colour = |name: &str| (name == "NO_COLOR").then(|| "1".to_owned());
        assert!(matches!(Mode::choose(false, true, no_colour), Mode::Bars(style) if !style.colour));
    }
}
