//! What the loss of a majority costs: how long shards are without a leader, and what is written
//! while nothing can be done.

mod alike;
mod args;
mod document;
mod led;
mod subject;

use std::path::Path;

use stepdown_sandbox::show::Place;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use self::subject::{Costs, Subject};
use super::error::BenchError;

pub(super) use args::OutageArgs;

pub(super) async fn run(args: OutageArgs) -> Result<(), BenchError> {
    args.check()?;
    let place = Place::find(args.dir.clone(), false)?;
    let measured = tokio::select! {
        measured = measure(place.path(), &args) => measured,
        asked = asked_to_end() => asked.and(Err(BenchError::Interrupted)),
    };
    let failed = match &measured {
        Ok(()) | Err(BenchError::Interrupted) => false,
        Err(_) => true,
    };
    let kept = place.settle(failed);
    measured.map_err(|error| match kept {
        Some(dir) if failed => BenchError::Kept {
            dir,
            error: Box::new(error),
        },
        Some(_) | None => error,
    })
}

/// Every process ends with the subject, however this ends.
async fn measure(dir: &Path, args: &OutageArgs) -> Result<(), BenchError> {
    let mut subject = Subject::start(dir, args).await?;
    println!(
        "shards:                      {} on three data servers ({})",
        args.shards,
        args.kind()
    );

    let first = subject.leads_most();
    let led = subject.led_by(first);
    let began = Instant::now();
    subject.kill(first)?;
    let took = subject.all_led(began).await?;
    println!("one killed, all led again:   {took:?} (it led {led})");

    subject.quiet().await?;
    let second = subject.leads_most();
    let before = subject.costs().await?;
    subject.kill(second)?;
    subject.alive_for(args.outage).await?;
    let after = subject.costs().await?;
    println!("a second one killed, for:    {:?}", args.outage);
    tell(&before, &after);

    let began = Instant::now();
    for server in [first, second] {
        subject.restart(server)?;
    }
    let serve = subject.all_serve().await?;
    let took = subject.all_led(serve).await?;
    let waited = serve.duration_since(began);
    println!("both serve, all led again:   {took:?} (they served after {waited:?})");
    Ok(())
}

fn tell(before: &Costs, after: &Costs) {
    println!(
        "  stores of the status:      {}, {} bytes",
        after.stores - before.stores,
        after.bytes - before.bytes
    );
    println!("  greatest rise of a term:   {}", after.rise_since(before));
    println!(
        "  lines logged:              {}",
        after.lines - before.lines
    );
}

async fn asked_to_end() -> Result<(), BenchError> {
    let listen = |kind| signal(kind).map_err(BenchError::Signals);
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
