//! How many connections a port takes.

use rustix::process::{Resource, getrlimit};

/// Nodes, programs and people need a handful each; memory is not to run out for those who are many.
const MOST: u64 = 256;
/// Four ports take as many of those that have said something, and of those that have not: with this part of
/// all file descriptors for each, half of them are left for files, data servers and peers.
const PART: u64 = 16;

/// So many that have said something may be open, and so many that have not.
pub(super) fn room() -> usize {
    beside(getrlimit(Resource::Nofile).current)
}

/// What a limit of file descriptors leaves room for, if there is one.
fn beside(limit: Option<u64>) -> usize {
    let most = limit.map_or(MOST, |limit| (limit / PART).clamp(1, MOST));
    usize::try_from(most).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_leave_half_of_the_descriptors_to_the_process() {
        let taken = |limit| 4 * 2 * beside(Some(limit));
        for limit in [64, 100, 1_024, 4_096, 1 << 20] {
            assert!(u64::try_from(taken(limit)).is_ok_and(|taken| taken <= limit / 2));
        }
        assert_eq!(beside(Some(4_096)), 256);
        assert_eq!(beside(None), 256);
    }
}
