//! The process entry point: runs the command line and returns its exit code.

use std::process::ExitCode;

use kaf6::exit::Exit;

fn main() -> ExitCode {
    let end = std::panic::catch_unwind(|| kaf6::cli::main(std::env::args_os()));
    match end {
        Ok(exit) => exit.into(),
        // The panic handler already printed the message to stderr.
        Err(_) => Exit::Bug.into(),
    }
}
