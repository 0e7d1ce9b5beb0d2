//! Where a run is shown: redrawn in place on a terminal, line by line elsewhere.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crossterm::{cursor, execute, terminal};

use super::view::{self, Picture};

/// Events that a terminal shows, where it has room.
const KEPT: usize = 200;

/// Where a run is shown.
#[derive(Debug)]
pub(super) struct Output {
    events: VecDeque<String>,
    screen: Option<Screen>,
}

#[derive(Debug)]
struct Screen {
    colour: bool,
}

impl Output {
    /// On a terminal that can do so takes over the screen, until dropped.
    pub(super) fn open() -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_screen = io::stdout().is_terminal() && !is_dumb;
        let screen = is_screen.then(Screen::open).flatten();
        Self {
            events: VecDeque::new(),
            screen,
        }
    }

    /// Whether it is redrawn in place.
    pub(super) fn is_live(&self) -> bool {
        self.screen.is_some()
    }

    /// Tells what happened.
    pub(super) fn tell(&mut self, at: Duration, event: &str) {
        let line = format!("{:>9.3} s  {event}", at.as_secs_f64());
        if self.screen.is_none() {
            // Whoever closed standard output has read enough.
            let _ = writeln!(io::stdout(), "{line}");
            return;
        }
        self.events.push_back(line);
        if self.events.len() > KEPT {
            self.events.pop_front();
        }
    }

    /// Redraws, on a terminal.
    pub(super) fn draw(&self, picture: &Picture<'_>) {
        let Some(screen) = &self.screen else {
            return;
        };
        let (width, height) = terminal::size().unwrap_or((80, 24));
        let text = view::draw(picture, &self.events, (width, height), screen.colour);
        // A terminal that is gone shows nothing.
        let _ = io::stdout().write_all(text.as_bytes());
        let _ = io::stdout().flush();
    }
}

impl Screen {
    fn open() -> Option<Self> {
        terminal::enable_raw_mode().ok()?;
        // Without these, the picture is only less pretty.
        let _ = execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide);
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Some(Self { colour: !no_colour })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // There is nothing else to try.
        let _ = execute!(io::stdout(), cursor::Show, terminal::LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}
