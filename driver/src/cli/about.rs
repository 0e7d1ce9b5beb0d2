//! `stepdown completion`, `man` and `version`: what the program says of itself.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use crate::version::{COMMIT, VERSION};

/// Flags of `stepdown completion`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "For bash: source <(stepdown completion bash)")]
pub struct CompletionArgs {
    /// The shell
    shell: Shell,
}

/// Flags of `stepdown man`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "To read it at once: stepdown man | man -l -")]
pub struct ManArgs {
    /// Write a page for each command into this directory, rather than print the first
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Why there are no manual pages.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", .path.display())]
pub struct NoManual {
    path: PathBuf,
    error: io::Error,
}

/// What makes a shell complete this command.
pub fn completion(args: &CompletionArgs, command: clap::Command) -> Vec<u8> {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    let mut command = without_hidden(&command);
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    script
}

/// The same without commands that are not for people: scripts for bash would offer them. Scripts are made for the
/// name that is given beside it.
fn without_hidden(command: &clap::Command) -> clap::Command {
    let shown = command.get_subcommands().filter(|it| !it.is_hide_set());
    clap::Command::new("stepdown")
        .version(crate::version::LINE)
        .args(command.get_arguments())
        .subcommands(shown)
}

/// The manual page of this command; or nothing, where all pages are written into a directory.
pub fn man(args: &ManArgs, command: clap::Command) -> Result<Vec<u8>, NoManual> {
    let mut page = Vec::new();
    let (path, written) = match &args.dir {
        Some(dir) => {
            let written = fs::create_dir_all(dir);
            let written = written.and_then(|()| clap_mangen::generate_to(command, dir));
            (dir.clone(), written)
        }
        None => {
            let written = clap_mangen::Man::new(command).render(&mut page);
            ("standard output".into(), written)
        }
    };
    match written {
        Ok(()) => Ok(page),
        Err(error) => Err(NoManual { path, error }),
    }
}

/// Which release this is, and which commit.
pub fn version() -> String {
    format!("stepdown {VERSION}\ncommit: {COMMIT}\n")
}
