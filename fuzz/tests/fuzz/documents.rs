//! The two documents.

use stepdown_core::cluster::{ClusterConfiguration, ClusterStatus};
use stepdown_fuzz::feed;

use crate::text;

#[test]
fn a_status_that_is_decoded_loses_nothing_when_it_is_written() {
    feed("status", |bytes| {
        let Ok(status) = ClusterStatus::decode(&text(bytes)) else {
            return;
        };
        check_written(&status);
        let mut raised = status.clone();
        raised.raise_shard_id_generator();
        assert!(
            raised.problems().len() <= status.problems().len(),
            "to raise the generator mends, and harms nothing"
        );
        raised.drop_beginnings();
        check_written(&raised);
        let json = serde_json::to_string(&status).unwrap();
        assert_eq!(
            serde_json::from_str::<ClusterStatus>(&json).unwrap(),
            status
        );
    });
}

fn check_written(status: &ClusterStatus) {
    let yaml = status.encode();
    match ClusterStatus::decode(&yaml) {
        Ok(again) => assert_eq!(&again, status, "{yaml}"),
        Err(error) => panic!("{error}: {yaml}"),
    }
    assert_eq!(status.encode(), yaml);
}

#[test]
fn a_configuration_is_taken_or_refused_with_its_problems() {
    feed("configuration", |bytes| {
        let text = text(bytes);
        let decoded = ClusterConfiguration::decode(&text);
        match ClusterConfiguration::read(Some(&text)) {
            Ok(read) => {
                assert_eq!(decoded.as_ref(), Ok(&read));
                assert_eq!(read.validate(), Ok(()));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        if let Ok(decoded) = decoded {
            let json = serde_json::to_string(&decoded).unwrap();
            let again = serde_json::from_str::<ClusterConfiguration>(&json);
            assert_eq!(again.unwrap(), decoded);
            if let Err(problems) = decoded.validate() {
                assert!(problems.0.iter().all(|it| !it.is_empty()));
            }
        }
    });
}
