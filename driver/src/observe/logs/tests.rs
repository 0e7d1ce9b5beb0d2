use serde_json::Value;

use super::testkit::{TIME, lines};
use super::*;

const PLAIN: LogFormat = LogFormat::Console { coloured: false };

#[test]
fn a_json_line_has_upstreams_keys_in_upstreams_order() {
    let text = lines(LogFormat::Json, TIME, || {
        tracing::warn!(
            component = "coordinator",
            shard = 7_i64,
            data_server = "a:1",
            retry_after = 8603.28_f64,
            error = "it \"broke\"",
            "Failed"
        );
    });
    assert_eq!(
        text,
        "{\"level\":\"warn\",\"component\":\"coordinator\",\"shard\":7,\"data-server\":\"a:1\",\"retry-after\":8603.28,\"error\":{\"error\":\"it \\\"broke\\\"\",\"kind\":\"error\",\"stack\":null},\"time\":\"2026-11-03T13:33:20.000123456Z\",\"message\":\"Failed\"}\n"
    );
}

#[test]
fn every_json_line_is_one_object_whatever_the_text() {
    let text = lines(LogFormat::Json, TIME, || {
        tracing::info!(
            level = 1_i64,
            name = "a\nb\u{1b}[31m",
            "line\n{{\"level\":\"error\"}}"
        );
    });
    assert_eq!(text.lines().count(), 1);
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(value["level"], "info");
    assert_eq!(value["name"], "a\nb\u{1b}[31m");
}

#[test]
fn a_time_outside_utc_shows_its_offset() {
    let text = lines(LogFormat::Json, "2026-07-03T13:33:20+02:00[+02:00]", || {
        tracing::debug!("x");
    });
    assert!(
        text.contains("\"time\":\"2026-07-03T13:33:20.000000000+02:00\""),
        "{text}"
    );
}

#[test]
fn a_console_line_is_time_level_message_and_pairs() {
    let text = lines(PLAIN, TIME, || {
        tracing::error!(shard = 7_i64, error = "not found", leader = "a:1", "Failed");
    });
    assert_eq!(
        text,
        "Nov  3 13:33:20.000123 ERR Failed shard=7 error=\"not found\" leader=a:1\n"
    );
}

#[test]
fn colours_appear_only_when_asked_for() {
    let log = || tracing::info!("x");
    assert!(!lines(PLAIN, TIME, log).contains('\u{1b}'));
    assert!(lines(LogFormat::Console { coloured: true }, TIME, log).contains('\u{1b}'));
}

#[test]
fn a_message_can_neither_start_a_line_nor_command_the_terminal() {
    let text = lines(PLAIN, TIME, || {
        tracing::info!(reason = "x\ny", "a\nb\u{1b}[2J");
    });
    assert_eq!(text.lines().count(), 1);
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn the_level_is_for_our_crates_and_others_only_warn() {
    let debug = targets(LogLevel::Debug);
    assert!(debug.would_enable("stepdown::cli", &tracing::Level::DEBUG));
    assert!(debug.would_enable("stepdown_core", &tracing::Level::DEBUG));
    assert!(!debug.would_enable("h2::codec", &tracing::Level::INFO));
    assert!(debug.would_enable("h2::codec", &tracing::Level::WARN));
    let error = targets(LogLevel::Error);
    assert!(!error.would_enable("h2::codec", &tracing::Level::WARN));
    assert!(!error.would_enable("stepdown", &tracing::Level::WARN));
}
