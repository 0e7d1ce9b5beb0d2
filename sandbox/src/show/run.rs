//! `stepdown sandbox` from end to end.

use super::place::Place;
use super::play::show;
use super::state::ShowOptions;
use super::summary::Summary;
use crate::cluster::{Cluster, ClusterOptions, SandboxError};

/// Starts a cluster in `place`, runs the show, and sums up. The files are kept if that did not go
/// well.
pub async fn run(
    place: Place,
    cluster: ClusterOptions,
    options: ShowOptions,
) -> Result<Summary, SandboxError> {
    let shown = match Cluster::start(&cluster) {
        Ok(started) => match started.hand_out_configuration(options.timeout).await {
            Ok(()) => show(started, cluster.namespaces, options).await,
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    let bad = !shown.as_ref().is_ok_and(Summary::is_good);
    let kept = place.settle(bad);
    shown.map(|summary| Summary { kept, ..summary })
}
