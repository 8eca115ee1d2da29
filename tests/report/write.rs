//! Tests the files on disk.

use kaf6::report::{self, FILES, INDEX_JSON, JUNIT_XML, REPORT_HTML, SUMMARY_JSON};

use crate::fixtures;

#[test]
fn all_three_are_written_and_render_again_to_the_same_bytes() {
    for run in [fixtures::pass(), fixtures::fail(), fixtures::error(), fixtures::big(), fixtures::hostile()] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("reports/x");
        for written in report::write_all(&folder, &run) {
            let size = std::fs::metadata(&written.path).unwrap().len();
            assert_eq!(u64::try_from(written.result.unwrap()).unwrap(), size);
        }
        let before = FILES.map(|name| std::fs::read(folder.join(name)).unwrap());
        std::fs::remove_file(folder.join(REPORT_HTML)).unwrap();
        std::fs::remove_file(folder.join(JUNIT_XML)).unwrap();
        let (again, written) = report::render_again(&folder).unwrap();
        assert_eq!(again, run);
        assert!(written.iter().all(|w| w.result.is_ok()));
        assert_eq!(FILES.map(|name| std::fs::read(folder.join(name)).unwrap()), before);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3, "nothing is left beside the reports");
    }
}

#[test]
fn one_that_cannot_be_written_does_not_stop_the_next() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(REPORT_HTML)).unwrap();
    let written = report::write_all(folder.path(), &fixtures::pass());
    let ok: Vec<_> = written.iter().map(|w| w.result.is_ok()).collect();
    assert_eq!(ok, [true, false, true]);
    let error = written[1].result.as_ref().unwrap_err().to_string();
    assert!(error.contains("cannot write") && error.contains(REPORT_HTML), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "no half file is left");
}

#[test]
fn a_folder_without_a_summary_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let error = format!("{:#}", anyhow::Error::from(report::render_again(folder.path()).unwrap_err()));
    assert!(error.contains(SUMMARY_JSON), "{error}");
    std::fs::write(folder.path().join(SUMMARY_JSON), "{}").unwrap();
    let error = format!("{:#}", anyhow::Error::from(report::render_again(folder.path()).unwrap_err()));
    assert!(error.contains("not a kaf6 summary"), "{error}");
}

#[test]
fn several_runs_have_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let mut runs = [fixtures::pass(), fixtures::error()];
    runs[0].run_id = "x-smoke".to_owned();
    runs[1].run_id = "x-connectivity".to_owned();
    assert!(report::write_merged(folder.path(), &runs).iter().all(|w| w.result.is_ok()));
    let index: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.path().join(INDEX_JSON)).unwrap()).unwrap();
    assert_eq!(index["status"], "error");
    assert_eq!(index["runs"][0]["status"], "pass");
    assert_eq!(index["runs"][1]["path"], "x-connectivity");
    assert!(folder.path().join(JUNIT_XML).is_file());
}
