//! `report.html`: the whole result in one file. It needs no network and no JavaScript.
//!
//! Defines the sections of all reports and combines those of the page. Each section has a file here and a
//! template in `templates/report/`.

mod account;
mod anomalies;
mod checks;
mod cluster;
mod connect;
mod defaults;
mod head;
mod notes;
mod partitions;
mod pictures;
mod scenarios;
mod source;
mod timeline;

use askama::Template;

use super::summary::Summary;

/// Hash of `templates/report/readout.js` for the page's content security policy. A test checks it.
pub const SCRIPT_HASH: &str = "sha256-1G2xosqZkxEGwqgCfmk9TsSO6KabCn6VYx8COJxpoSE=";

/// Defines [`Section`]: a line has the section, the id of its element on the page, its entry in the page's
/// list of sections, and the function that returns its template, or `None` if the page omits it.
macro_rules! sections {
    ($($section:ident $id:literal $label:literal $template:path;)*) => {
        /// A section of a report. All reports have their sections in this order. The page has all of them, the
        /// terminal and the step summary have some.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Section {
            $($section,)*
        }

        impl Section {
            pub const ORDER: &[Self] = &[$(Self::$section,)*];

            /// The id of its element on the page.
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$section => $id,)*
                }
            }

            /// Its entry in the list of sections at the top of the page.
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$section => $label,)*
                }
            }

            fn render(self, summary: &Summary) -> askama::Result<Option<String>> {
                match self {
                    $(Self::$section => $template(summary).map(|template| template.render()).transpose(),)*
                }
            }
        }
    };
}

sections! {
    Checks "checks" "Checks" checks::checks;
    Account "account" "Messages" account::account;
    Anomalies "anomalies" "Anomalies" anomalies::anomalies;
    Notes "notes" "Notes" notes::notes;
    Timeline "timeline" "Timeline" timeline::timeline;
    Faults "faults" "Faults" cluster::faults;
    Metadata "changes" "Metadata" cluster::metadata;
    Containers "containers" "Containers" cluster::containers;
    Scenarios "scenarios" "Scenarios" scenarios::scenarios;
    Errors "errors" "Errors" scenarios::errors;
    Connections "connect" "Connections" connect::connect;
    Partitions "partitions" "Partitions" partitions::partitions;
    Source "source" "Scenario file" source::source;
    Defaults "defaults" "Defaults" defaults::defaults;
    Files "files" "Files" source::files;
}

#[derive(Template)]
#[template(path = "report/page.html")]
struct Page {
    script_hash: &'static str,
    head: head::PageHead,
    outlines: Vec<(&'static str, &'static str)>,
    sections: Vec<(Section, String)>,
    has_timeline: bool,
}

/// Renders the page.
///
/// # Errors
///
/// If the template cannot be rendered, which does not happen in practice.
pub fn html(summary: &Summary) -> Result<String, askama::Error> {
    let mut sections = Vec::new();
    for section in Section::ORDER {
        sections.extend(section.render(summary)?.map(|text| (*section, text)));
    }
    let page = Page {
        script_hash: SCRIPT_HASH,
        head: head::head(summary),
        outlines: pictures::outlines(summary),
        has_timeline: sections.iter().any(|(section, _)| *section == Section::Timeline),
        sections,
    };
    page.render().map(visible)
}

/// Removes invisible characters: controls that HTML forbids, and those that change the direction of the
/// following text.
fn visible(page: String) -> String {
    let steers = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
    };
    if page.contains(steers) { page.replace(steers, "\u{fffd}") } else { page }
}
