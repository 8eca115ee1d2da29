//! The process: its words, its exit code, and a last word where kaf6 itself is at fault.

use std::process::ExitCode;

use kaf6::exit::Exit;

fn main() -> ExitCode {
    let end = std::panic::catch_unwind(|| kaf6::cli::main(std::env::args_os()));
    match end {
        Ok(exit) => exit.into(),
        // The panic's own message is on stderr already.
        Err(_) => Exit::Bug.into(),
    }
}
