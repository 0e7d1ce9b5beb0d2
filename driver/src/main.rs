//! The `stepdown` command.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
use mimalloc::MiMalloc;
use stepdown::bench::{BenchArgs, BenchError};
use stepdown::cli::{
    self, AcceptLossArgs, AdminArgs, AdminCommandError, Cli, Command, CoordinatorArgs, GlobalArgs,
    HealthArgs, ManArgs, NoManual, NotAccepted, NotPrinted, PlanArgs, Printer, RaftArgs,
    RaftCommandError, SandboxArgs, SandboxChildArgs, SandboxDataServerArgs, StatusFileArgs,
    StatusFileError, TooFewDataServers, TransferArgs, Unhealthy,
};
use stepdown::coordinator::{self, CoordinatorError};
use stepdown::open_files;
use stepdown_backends::configmap::TransferError;
use stepdown_sandbox::cluster::{self, SandboxError};
use stepdown_sandbox::server::{self, ServeError};
use tokio::runtime::{Builder, Runtime};

/// It gives back what a burst took: thousands of elections, or a large scrape, would else be kept for good.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return or_told(not_run(&error)),
    };
    open_files::allow_all();
    or_told(match cli.command {
        Command::AcceptLoss(args) => accept_loss(args),
        Command::Admin(args) => admin(args),
        Command::Bench(args) => bench(args),
        Command::Completion(args) => print(&cli::completion(&args, called())),
        Command::Coordinator(args) => coordinator(cli.global, *args),
        Command::Health(args) => health(&args),
        Command::Man(args) => man(&args),
        Command::Plan(args) => plan(args),
        Command::Raft(args) => administer(args),
        Command::Sandbox(args) => run_sandbox(*args),
        Command::SandboxChild(args) => Err(sandbox_child(&args)),
        Command::SandboxDataServer(args) => sandbox_data_server(args),
        Command::StatusFile(args) => status_file(&args),
        Command::Transfer(args) => transfer(args),
        Command::Version => print(cli::version().as_bytes()),
    })
}

fn or_told(result: Result<ExitCode, Failure>) -> ExitCode {
    result.unwrap_or_else(|failure| {
        tell(&format!("Error: {failure}\n"));
        ExitCode::FAILURE
    })
}

/// Why a command could not do what it was asked. What it was asked may end badly as well: that is
/// an exit code.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    AcceptLoss(#[from] NotAccepted),
    #[error(transparent)]
    Admin(#[from] AdminCommandError),
    #[error(transparent)]
    Bench(#[from] BenchError),
    #[error(transparent)]
    Coordinator(#[from] CoordinatorError),
    #[error(transparent)]
    DataServer(#[from] ServeError),
    #[error(transparent)]
    Manual(#[from] NoManual),
    #[error(transparent)]
    NotPrinted(#[from] NotPrinted),
    #[error(transparent)]
    Raft(#[from] RaftCommandError),
    #[error("can't start: {0}")]
    Runtime(io::Error),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error(transparent)]
    SandboxArgs(#[from] TooFewDataServers),
    #[error("can't start as a child: {0}")]
    SandboxChild(io::Error),
    #[error(transparent)]
    StatusFile(#[from] StatusFileError),
    #[error(transparent)]
    Transfer(#[from] TransferError),
    #[error(transparent)]
    Unhealthy(#[from] Unhealthy),
}

/// Help and the version end well; anything else is a usage error.
fn not_run(error: &clap::Error) -> Result<ExitCode, Failure> {
    let asked = !error.use_stderr();
    if !asked && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        tell(&cli::usage_error(error));
        return Ok(ExitCode::FAILURE);
    }
    let text = error.render();
    let text = if io::stdout().is_terminal() && !no_color() {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    print(text.as_bytes())
}

fn tell(text: &str) {
    // Without standard error, only the exit code is left.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Prints the whole of what was asked for.
fn print(text: &[u8]) -> Result<ExitCode, Failure> {
    let mut printer = Printer::default();
    printer.print(text);
    printer.end()?;
    Ok(ExitCode::SUCCESS)
}

fn called() -> clap::Command {
    Cli::called(std::env::args_os().next().as_deref())
}

fn man(args: &ManArgs) -> Result<ExitCode, Failure> {
    print(&cli::man(args, called())?)
}

fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

fn coordinator(global: GlobalArgs, args: CoordinatorArgs) -> Result<ExitCode, Failure> {
    let runtime = runtime(Builder::new_multi_thread())?;
    let result = runtime.block_on(coordinator::run(global, args));
    runtime.shutdown_background();
    result?;
    Ok(ExitCode::SUCCESS)
}

fn accept_loss(args: AcceptLossArgs) -> Result<ExitCode, Failure> {
    let runtime = runtime(Builder::new_current_thread())?;
    let told = runtime.block_on(cli::accept(args))?;
    print(told.as_bytes())
}

fn admin(args: AdminArgs) -> Result<ExitCode, Failure> {
    let runtime = runtime(Builder::new_current_thread())?;
    let answer = runtime.block_on(cli::ask(args));
    // A name that is still being looked up must not hold it up.
    runtime.shutdown_background();
    print(answer?.as_bytes())
}

fn plan(args: PlanArgs) -> Result<ExitCode, Failure> {
    let runtime = runtime(Builder::new_current_thread())?;
    let plan = runtime.block_on(cli::plan(args));
    // A name that is still being looked up must not hold it up.
    runtime.shutdown_background();
    print(plan?.as_bytes())
}

fn bench(args: BenchArgs) -> Result<ExitCode, Failure> {
    let runtime = runtime(Builder::new_multi_thread())?;
    runtime.block_on(stepdown::bench::run(args))?;
    Ok(ExitCode::SUCCESS)
}

/// Says why, whoever asks: kubelet has it in the event of the probe.
fn health(args: &HealthArgs) -> Result<ExitCode, Failure> {
    let runtime = runtime(Builder::new_current_thread())?;
    let result = runtime.block_on(cli::check(args));
    // A name that is still being looked up must not hold up the probe.
    runtime.shutdown_background();
    result?;
    if args.verbose {
        return print(format!("{}: SERVING\n", args.target()).as_bytes());
    }
    Ok(ExitCode::SUCCESS)
}

fn status_file(args: &StatusFileArgs) -> Result<ExitCode, Failure> {
    let (report, is_usable) = cli::status_file(args)?;
    print(report.as_bytes())?;
    Ok(success_if(is_usable))
}

fn transfer(args: TransferArgs) -> Result<ExitCode, Failure> {
    let runtime = runtime(Builder::new_current_thread())?;
    let mut printer = Printer::default();
    let told = |line: &str| printer.print(format!("{line}\n").as_bytes());
    runtime.block_on(cli::hand_over(args, told))?;
    printer.end()?;
    Ok(ExitCode::SUCCESS)
}

fn administer(args: RaftArgs) -> Result<ExitCode, Failure> {
    let runtime = runtime(Builder::new_current_thread())?;
    let mut printer = Printer::default();
    let told = |text: &str| printer.print(text.as_bytes());
    let is_well = runtime.block_on(cli::administer(args, told));
    // A name that is still being looked up must not hold it up.
    runtime.shutdown_background();
    let is_well = is_well?;
    printer.end()?;
    Ok(success_if(is_well))
}

fn run_sandbox(args: SandboxArgs) -> Result<ExitCode, Failure> {
    args.check()?;
    let runtime = runtime(Builder::new_multi_thread())?;
    let summary = runtime.block_on(args.run());
    // A thread may wait for a key.
    runtime.shutdown_background();
    let summary = summary?;
    print(summary.to_string().as_bytes())?;
    Ok(success_if(summary.is_good()))
}

/// Returns only if it can't become what it is to be.
fn sandbox_child(args: &SandboxChildArgs) -> Failure {
    Failure::SandboxChild(cluster::become_child(
        args.parent,
        &args.program,
        &args.words,
    ))
}

fn sandbox_data_server(args: SandboxDataServerArgs) -> Result<ExitCode, Failure> {
    let runtime = runtime(Builder::new_current_thread())?;
    runtime.block_on(server::serve(args.into_options()))?;
    Ok(ExitCode::SUCCESS)
}

fn runtime(mut builder: Builder) -> Result<Runtime, Failure> {
    builder.enable_all().build().map_err(Failure::Runtime)
}

fn success_if(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
