//! The document's first line, which makes it whole: `# oxia v1 version=… epoch=… write-id=… len=…
//! crc32c=…`, a comment to every reader of YAML. The checksum covers the rest of the line and all
//! that follows. The last line, another comment, tells a shortened document from an edited one. Where
//! an editor has changed how lines end, both are still found: then it is an edit.

use std::fmt;

use stepdown_core::{Epoch, WriteId};

const MARK: &str = "# oxia v1 ";
const ANY_MARK: &str = "# oxia v";
const CHECKSUM: &str = " crc32c=";
const END: &str = "# end\n";
/// What some editors put before everything else.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// What the first line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Counts the writes of the file.
    pub(crate) version: u64,
    pub(crate) epoch: Epoch,
    /// `None` where `stepdown status-file adopt` wrote.
    pub(crate) write_id: Option<WriteId>,
}

/// What the lines around a document say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seal {
    /// Every byte is as it was written.
    Intact(Header),
    /// Somebody edited it.
    Broken(Option<Header>),
    /// The end is missing.
    Shortened(Option<Header>),
    /// Nothing is missing but the last line, or a part of it.
    Unended(Header),
    /// There is no first line of ours: somebody else wrote it.
    Absent,
    /// A release that is newer than this one wrote it.
    Newer,
}

/// The file's bytes for a document.
pub(crate) fn seal(header: &Header, yaml: &str) -> Vec<u8> {
    let start = format!("{header} len={}", yaml.len() + END.len());
    let checksum = checksum(&start, &[yaml, END]);
    format!("{start}{CHECKSUM}{checksum:08x}\n{yaml}{END}").into_bytes()
}

/// Judges a file's text.
pub(crate) fn unseal(text: &str) -> Seal {
    let whole = text;
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    if !text.is_empty() && MARK.starts_with(text) {
        return Seal::Shortened(None);
    }
    if !text.starts_with(MARK) {
        let newer = text.starts_with(ANY_MARK);
        return if newer { Seal::Newer } else { Seal::Absent };
    }
    let (line, body) = text.split_once('\n').unwrap_or((text, ""));
    let header = Header::parse(line);
    match header {
        Some(header) if whole == text && is_whole(line, body) => Seal::Intact(header),
        Some(header) if lacks_only_the_end(line, body) => Seal::Unended(header),
        header if !body.lines().any(|line| line.trim_end() == END.trim_end()) => {
            Seal::Shortened(header)
        }
        header => Seal::Broken(header),
    }
}

/// Whether it is whole once the last line is.
fn lacks_only_the_end(line: &str, body: &str) -> bool {
    (0..END.len())
        .filter_map(|there| body.strip_suffix(END.get(..there)?))
        .any(|before| is_whole(line, &format!("{before}{END}")))
}

fn is_whole(line: &str, body: &str) -> bool {
    let Some((start, recorded)) = line.rsplit_once(CHECKSUM) else {
        return false;
    };
    field(line, "len") == Some(body.len())
        && u32::from_str_radix(recorded, 16) == Ok(checksum(start, &[body]))
}

fn checksum(start: &str, rest: &[&str]) -> u32 {
    rest.iter()
        .fold(crc32c::crc32c(start.as_bytes()), |sum, part| {
            crc32c::crc32c_append(sum, part.as_bytes())
        })
}

impl Header {
    fn parse(line: &str) -> Option<Self> {
        let write_id = match field::<String>(line, "write-id")?.as_str() {
            "-" => None,
            text => Some(text.parse().ok()?),
        };
        Some(Self {
            version: field(line, "version")?,
            epoch: Epoch(field(line, "epoch")?),
            write_id,
        })
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MARK}version={} epoch={}", self.version, self.epoch)?;
        match &self.write_id {
            Some(id) => write!(f, " write-id={id}"),
            None => f.write_str(" write-id=-"),
        }
    }
}

fn field<T: std::str::FromStr>(line: &str, key: &str) -> Option<T> {
    line.split_whitespace()
        .filter_map(|word| word.split_once('='))
        .find(|(name, _)| *name == key)
        .and_then(|(_, value)| value.parse().ok())
}

#[cfg(test)]
mod tests {
    use stepdown_core::{ProcessId, RequestId};

    use super::*;

    fn header() -> Header {
        Header {
            version: 12,
            epoch: Epoch(3),
            write_id: Some(WriteId {
                epoch: Epoch(3),
                request: RequestId(4),
                process: ProcessId(5),
            }),
        }
    }

    fn sealed() -> String {
        String::from_utf8(seal(&header(), "instanceId: abc\n")).unwrap()
    }

    #[test]
    fn a_sealed_document_is_intact() {
        assert_eq!(unseal(&sealed()), Seal::Intact(header()));
    }

    #[test]
    fn every_changed_byte_breaks_the_seal() {
        for index in 0..sealed().len() {
            let mut bytes = sealed().into_bytes();
            bytes[index] ^= 1;
            let Ok(text) = String::from_utf8(bytes) else {
                continue;
            };
            assert!(!matches!(unseal(&text), Seal::Intact(_)), "{text}");
        }
    }

    #[test]
    fn every_document_cut_short_is_noticed() {
        let text = sealed();
        let whole = text.len() - END.len();
        for len in 1..whole {
            assert!(matches!(unseal(&text[..len]), Seal::Shortened(_)), "{len}");
        }
        for len in whole..text.len() {
            assert_eq!(unseal(&text[..len]), Seal::Unended(header()), "{len}");
        }
    }

    #[test]
    fn other_line_ends_and_what_editors_put_before_or_take_from_the_end_are_an_edit() {
        let text = sealed();
        for edited in [
            text.replace('\n', "\r\n"),
            text.replace('\n', " \n"),
            text.replace("abc", "abd").trim_end().to_owned(),
            format!("{BYTE_ORDER_MARK}{text}"),
            format!("{text}\n"),
        ] {
            assert_eq!(unseal(&edited), Seal::Broken(Some(header())), "{edited:?}");
        }
    }

    #[test]
    fn a_document_cut_short_with_other_line_ends_is_noticed_as_well() {
        let text = sealed().replace('\n', "\r\n");
        let cut = &text[..text.len() - "# end\r\n".len()];
        assert_eq!(unseal(cut), Seal::Shortened(Some(header())));
    }

    #[test]
    fn a_shorter_edit_is_an_edit() {
        let text = sealed().replace("abc", "a");
        assert_eq!(unseal(&text), Seal::Broken(Some(header())));
    }

    #[test]
    fn other_writers_and_newer_releases_are_told_apart() {
        assert_eq!(unseal("namespaces: {}\n"), Seal::Absent);
        assert_eq!(unseal("# oxia v2 version=1\n"), Seal::Newer);
    }
}
