//! The configuration document.

use stepdown_backends::Backend;

use super::{Cluster, Outcome};

pub async fn an_absent_configuration_has_no_text(cluster: &dyn Cluster) -> Outcome {
    reads(&cluster.coordinator("a").await, None).await;
    Ok(())
}

pub async fn the_configuration_is_read_at_the_start(cluster: &dyn Cluster) -> Outcome {
    cluster.configure(Some("servers: []\n")).await;
    reads(&cluster.coordinator("a").await, Some("servers: []\n")).await;
    Ok(())
}

pub async fn a_changed_configuration_is_read(cluster: &dyn Cluster) -> Outcome {
    let backend = cluster.coordinator("a").await;
    for text in ["one", "two", "three", "two"] {
        cluster.configure(Some(text)).await;
        reads(&backend, Some(text)).await;
    }
    Ok(())
}

pub async fn the_last_of_many_changes_is_read(cluster: &dyn Cluster) -> Outcome {
    let backend = cluster.coordinator("a").await;
    for number in 0..100 {
        cluster.configure(Some(&format!("# {number}\n"))).await;
    }
    reads(&backend, Some("# 99\n")).await;
    Ok(())
}

pub async fn a_deleted_configuration_has_no_text_and_comes_back(cluster: &dyn Cluster) -> Outcome {
    let backend = cluster.coordinator("a").await;
    cluster.configure(Some("one")).await;
    reads(&backend, Some("one")).await;
    cluster.configure(None).await;
    reads(&backend, None).await;
    cluster.configure(Some("two")).await;
    reads(&backend, Some("two")).await;
    Ok(())
}

pub async fn every_coordinator_reads_the_configuration(cluster: &dyn Cluster) -> Outcome {
    let (a, b) = (
        cluster.coordinator("a").await,
        cluster.coordinator("b").await,
    );
    cluster.configure(Some("one")).await;
    for backend in [&a, &a, &b] {
        reads(backend, Some("one")).await;
    }
    Ok(())
}

pub async fn the_configuration_is_not_interpreted(cluster: &dyn Cluster) -> Outcome {
    let backend = cluster.coordinator("a").await;
    for text in ["", "{", "\u{feff}namespaces: ü\r\n", " \n\t"] {
        cluster.configure(Some(text)).await;
        reads(&backend, Some(text)).await;
    }
    Ok(())
}

/// Waits until the text is this one, and checks that it says where it is from, and is read once more so.
async fn reads(backend: &Backend, text: Option<&str>) {
    let mut watch = backend.configuration.watch();
    let read = watch
        .wait_for(|read| {
            read.as_ref()
                .is_some_and(|read| read.text.as_deref() == text)
        })
        .await
        .expect("the configuration is not watched any more");
    assert!(read.as_ref().is_some_and(|read| !read.source.is_empty()));
    drop(read);
    // Whoever asks for it once more is told the same.
    let again = backend.configuration_store.read().await;
    assert_eq!(again.map(|it| it.text), Ok(text.map(str::to_owned)));
}
