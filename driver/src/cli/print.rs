//! What a command prints of what it was asked for.

use std::io::{self, ErrorKind, Stdout, Write};

/// Standard output: whoever closed it has read enough, but where it can't be written whole it is told in the end.
#[derive(Debug)]
pub struct Printer<W = Stdout> {
    out: W,
    failed: Option<io::Error>,
}

/// What was asked for could not be written.
#[derive(Debug, thiserror::Error)]
#[error("what was asked for is done, but can't be written to standard output: {0}")]
pub struct NotPrinted(io::Error);

impl Default for Printer {
    fn default() -> Self {
        Self::to(io::stdout())
    }
}

impl<W: Write> Printer<W> {
    fn to(out: W) -> Self {
        Self { out, failed: None }
    }

    /// Prints this at once, unless something before could not be.
    pub fn print(&mut self, text: &[u8]) {
        if self.failed.is_none() {
            let written = self.out.write_all(text).and_then(|()| self.out.flush());
            self.failed = written.err();
        }
    }

    /// # Errors
    ///
    /// Fails with the first error, but for a reader who closed it.
    pub fn end(self) -> Result<(), NotPrinted> {
        match self.failed {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => Err(NotPrinted(error)),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_told_and_a_reader_who_has_read_enough_is_not() {
        let ends = |kind| {
            let mut printer = Printer::to(Failing(kind));
            printer.print(b"a line\n");
            printer.print(b"another one\n");
            printer.end()
        };
        assert!(ends(ErrorKind::StorageFull).is_err());
        assert!(ends(ErrorKind::BrokenPipe).is_ok());
    }
}
