//! The `stepdown` command.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
use stepdown::bench::BenchArgs;
use stepdown::cli::{
    self, Cli, Command, CoordinatorArgs, GlobalArgs, HealthArgs, SandboxArgs, SandboxChildArgs,
    SandboxDataServerArgs, StatusFileArgs, TransferArgs,
};
use stepdown::coordinate;
use stepdown_sandbox::{cluster, server};
use tokio::runtime::{Builder, Runtime};

fn main() -> ExitCode {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return not_run(&error),
    };
    let result = match cli.command {
        Command::Bench(args) => bench(args),
        Command::Coordinator(args) => coordinator(cli.global, *args),
        Command::Health(args) => health(&args),
        Command::Sandbox(args) => run_sandbox(*args),
        Command::SandboxChild(args) => Err(sandbox_child(&args)),
        Command::SandboxDataServer(args) => sandbox_data_server(args),
        Command::StatusFile(args) => status_file(&args),
        Command::Transfer(args) => transfer(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Silent) => ExitCode::FAILURE,
        Err(Failure::Told(reason)) => {
            tell(&format!("Error: {reason}\n"));
            ExitCode::FAILURE
        }
    }
}

enum Failure {
    Silent,
    Told(String),
}

/// Help and the version end well; anything else is a usage error.
fn not_run(error: &clap::Error) -> ExitCode {
    let asked = !error.use_stderr();
    if !asked && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        tell(&cli::usage_error(error));
        return ExitCode::FAILURE;
    }
    let text = error.render();
    let text = if io::stdout().is_terminal() && !no_color() {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    // Whoever closed standard output has read enough.
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn tell(text: &str) {
    // Without standard error, only the exit code is left.
    let _ = io::stderr().write_all(text.as_bytes());
}

fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

fn coordinator(global: GlobalArgs, args: CoordinatorArgs) -> Result<(), Failure> {
    let runtime = runtime(Builder::new_multi_thread())?;
    let result = runtime.block_on(cli::coordinate(global, args, coordinate::run));
    runtime.shutdown_background();
    result.map_err(Failure::Told)
}

fn bench(args: BenchArgs) -> Result<(), Failure> {
    let runtime = runtime(Builder::new_multi_thread())?;
    let result = runtime.block_on(stepdown::bench::run(args));
    result.map_err(|error| Failure::Told(error.to_string()))
}

/// Probes log what they see, so the reason is told only to people, or when asked for.
fn health(args: &HealthArgs) -> Result<(), Failure> {
    let runtime = runtime(Builder::new_current_thread())?;
    let result = runtime.block_on(cli::check(args));
    // A name that is still being looked up must not hold up the probe.
    runtime.shutdown_background();
    result.map_err(|unhealthy| {
        if args.verbose || io::stderr().is_terminal() {
            Failure::Told(unhealthy.to_string())
        } else {
            Failure::Silent
        }
    })
}

fn status_file(args: &StatusFileArgs) -> Result<(), Failure> {
    let (report, is_usable) = cli::status_file(args).map_err(Failure::Told)?;
    // Whoever closed standard output has read enough.
    let _ = io::stdout().write_all(report.as_bytes());
    if is_usable {
        Ok(())
    } else {
        Err(Failure::Silent)
    }
}

fn transfer(args: TransferArgs) -> Result<(), Failure> {
    let runtime = runtime(Builder::new_current_thread())?;
    let told = |line: &str| {
        // Whoever closed standard output wants only the exit code.
        let _ = writeln!(io::stdout(), "{line}");
    };
    let handed_over = runtime.block_on(cli::hand_over(args, told));
    handed_over.map_err(Failure::Told)
}

fn run_sandbox(args: SandboxArgs) -> Result<(), Failure> {
    if let Some(problem) = args.problem() {
        return Err(Failure::Told(problem));
    }
    let runtime = runtime(Builder::new_multi_thread())?;
    let summary = runtime.block_on(args.run());
    // A thread may wait for a key.
    runtime.shutdown_background();
    let summary = summary.map_err(|error| Failure::Told(error.to_string()))?;
    // Whoever closed standard output has read enough.
    let _ = io::stdout().write_all(summary.to_string().as_bytes());
    if summary.is_good() {
        Ok(())
    } else {
        Err(Failure::Silent)
    }
}

/// Returns only if it can't become what it is to be.
fn sandbox_child(args: &SandboxChildArgs) -> Failure {
    let error = cluster::become_child(args.parent, &args.program, &args.words);
    Failure::Told(format!("can't start as a child: {error}"))
}

fn sandbox_data_server(args: SandboxDataServerArgs) -> Result<(), Failure> {
    let runtime = runtime(Builder::new_current_thread())?;
    let served = runtime.block_on(server::serve(args.into_options()));
    served.map_err(|error| Failure::Told(error.to_string()))
}

fn runtime(mut builder: Builder) -> Result<Runtime, Failure> {
    builder
        .enable_all()
        .build()
        .map_err(|error| Failure::Told(format!("can't start: {error}")))
}
