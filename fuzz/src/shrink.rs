//! Makes an input smaller that a target fails at.

/// So many others are tried.
const TRIES: usize = 20_000;

/// What is left of it once nothing more can be taken away, so that it still fails.
pub(crate) fn smallest(bytes: Vec<u8>, fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let (mut bytes, mut tries) = (bytes, 0);
    let mut length = bytes.len().div_ceil(2);
    while length > 0 {
        let (mut at, before) = (0, bytes.len());
        while at < bytes.len() && tries < TRIES {
            tries += 1;
            let end = bytes.len().min(at + length);
            let mut without = bytes.clone();
            without.drain(at..end);
            if fails(&without) {
                bytes = without;
            } else {
                at = end;
            }
        }
        // What was taken away may have been in the way of more.
        if length > 1 || bytes.len() == before || tries >= TRIES {
            length /= 2;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_input_does_not_fail_for_is_taken_away() {
        let bytes = b"no 7 and no 8 and a lot more of that kind".to_vec();
        let fails = |it: &[u8]| it.contains(&b'7') && it.contains(&b'8');
        assert_eq!(smallest(bytes, fails), b"78");
    }
}
