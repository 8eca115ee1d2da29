//! `report.html`: one file that shows everything, without network, build step or JavaScript.
//!
//! Owns the page's values; `templates/report.html` owns its form, `chart` its pictures.

use super::summary::Summary;

/// The page.
///
/// # Errors
/// Where the template cannot be rendered; none is known to happen.
pub fn html(summary: &Summary) -> Result<String, askama::Error> {
    // The page itself follows; until then a file that names the run.
    Ok(format!(
        "<!doctype html><title>{}</title>",
        askama::filters::escape(&summary.name, askama::filters::Html)?
    ))
}
