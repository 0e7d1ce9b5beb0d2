//! The last events of a run, in words, and a hash over all of them. Only traced runs pay for it:
//! a run that fails is run again with its trace, since it is the same run.

use std::collections::VecDeque;

use super::clock::At;

#[derive(Debug, Default)]
pub struct Trace {
    kept: usize,
    hash: u64,
    lines: VecDeque<String>,
}

impl Trace {
    pub fn new(kept: usize) -> Self {
        Self {
            kept,
            hash: 0xcbf2_9ce4_8422_2325,
            lines: VecDeque::new(),
        }
    }

    pub fn note(&mut self, at: At, line: impl FnOnce() -> String) {
        if self.kept == 0 {
            return;
        }
        let line = format!("{at} {}", line());
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.lines.len() == self.kept {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    pub fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }
}
