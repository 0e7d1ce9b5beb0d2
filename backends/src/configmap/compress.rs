//! gzip, with a bound on what comes out.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// Made of 10,000 shards with three replicas and long addresses, 15.0 MB of text, level 6 makes
/// 462 kB and level 9 makes 450 kB in more than twice the time.
const LEVEL: u32 = 6;
/// The longest text that a compressed document may have, in bytes.
const LONGEST: u64 = 64 << 20;

pub(crate) fn compress(text: &str) -> io::Result<Vec<u8>> {
    check(text)?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(LEVEL));
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}

pub(crate) fn decompress(bytes: &[u8]) -> io::Result<String> {
    let mut text = String::new();
    GzDecoder::new(bytes)
        .take(LONGEST + 1)
        .read_to_string(&mut text)?;
    check(&text)?;
    Ok(text)
}

fn check(text: &str) -> io::Result<()> {
    if u64::try_from(text.len()).is_ok_and(|len| len <= LONGEST) {
        return Ok(());
    }
    let longest = LONGEST >> 20;
    let error = format!("it is longer than {longest} MiB when uncompressed");
    Err(io::Error::other(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_survives_compression() {
        for text in ["", "größer\n", &"a: b\n".repeat(10_000)] {
            assert_eq!(decompress(&compress(text).unwrap()).unwrap(), text);
        }
    }

    #[test]
    fn a_small_file_that_grows_without_bound_is_refused() {
        let longest = usize::try_from(LONGEST).unwrap();
        let mut text = " ".repeat(longest);
        let most = compress(&text).unwrap();
        assert_eq!(decompress(&most).unwrap().len(), longest);
        text.push(' ');
        assert!(compress(&text).is_err());
        let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
        bomb.write_all(text.as_bytes()).unwrap();
        let bomb = bomb.finish().unwrap();
        assert!(bomb.len() < 1 << 20);
        let error = decompress(&bomb).unwrap_err().to_string();
        assert!(error.contains("64 MiB"), "{error}");
    }

    #[test]
    fn what_is_cut_short_or_damaged_is_refused() {
        let whole = compress(&"instanceId: abc\n".repeat(50)).unwrap();
        for len in 0..whole.len() {
            assert!(decompress(&whole[..len]).is_err(), "{len}");
        }
        let mut damaged = whole.clone();
        let middle = whole.len() / 2;
        damaged[middle] ^= 0xff;
        assert!(decompress(&damaged).is_err());
    }
}
