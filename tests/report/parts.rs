//! Parts of the machine that a test may lack: the test is skipped with a message, or fails if `KAF6_REQUIRE` lists the part.

/// Ends a test whose part is missing.
///
/// # Panics
/// Where `KAF6_REQUIRE` names the part.
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
pub fn skip(part: &str, missing: &str) {
    let required = std::env::var("KAF6_REQUIRE").is_ok_and(|list| list.split(',').any(|p| p.trim() == part));
    assert!(!required, "KAF6_REQUIRE wants {part}, and there is no {missing}");
    println!("skipped: no {missing}");
}
