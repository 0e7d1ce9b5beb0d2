//! What raft nodes say to each other, and what they keep.

use stepdown_backends::fuzzing;
use stepdown_fuzz::feed;

use crate::text;

#[test]
fn a_message_of_a_node_is_understood_and_said_again_in_the_same_words_or_refused() {
    feed("raft_message", |bytes| {
        if let Some((kind, message)) = bytes.split_first() {
            fuzzing::message(*kind, message);
        }
    });
}

#[test]
fn commands_leave_a_whole_document_whatever_they_are() {
    feed("raft_commands", |bytes| fuzzing::commands(&text(bytes)));
}

#[test]
fn a_snapshot_that_is_read_is_written_as_it_was() {
    feed("raft_snapshot", fuzzing::image);
}

#[test]
fn a_record_of_the_log_is_read_where_and_as_it_was_written() {
    feed("raft_record", |bytes| {
        let index = bytes.iter().fold(0u64, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add((*byte).into())
        });
        fuzzing::records(index, bytes);
    });
}
