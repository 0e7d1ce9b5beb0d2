//! What people ask of a running sandbox: keys, and signals to end.

use std::io::{self, IsTerminal};
use std::thread;
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    AddDataServer,
    Conflict,
    DrainDataServer,
    Help,
    KillDataServer,
    KillLeader,
    /// Add the second namespace, or delete it.
    Namespace,
    Quit,
}

/// Where it comes in.
#[derive(Debug)]
pub(super) struct Inputs {
    receiver: mpsc::Receiver<Input>,
    // So that the channel is never closed.
    _sender: mpsc::Sender<Input>,
}

impl Inputs {
    /// Listens to signals, and to keys where there is a keyboard.
    pub(super) fn listen(keys: bool) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel(16);
        for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
            let mut signals = signal(kind)?;
            let sender = sender.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() && sender.send(Input::Quit).await.is_ok() {}
            });
        }
        if keys && io::stdin().is_terminal() {
            let sender = sender.clone();
            thread::Builder::new()
                .name("keys".to_owned())
                .spawn(move || read_keys(&sender))?;
        }
        Ok(Self {
            receiver,
            _sender: sender,
        })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Input {
        self.receiver.recv().await.unwrap_or(Input::Quit)
    }
}

fn read_keys(sender: &mpsc::Sender<Input>) {
    while !sender.is_closed() {
        match event::poll(Duration::from_millis(100)) {
            Ok(false) => continue,
            Ok(true) => {}
            Err(_) => return,
        }
        let Ok(event) = event::read() else { return };
        if let Some(input) = input_of(&event)
            && sender.blocking_send(input).is_err()
        {
            return;
        }
    }
}

fn input_of(event: &Event) -> Option<Input> {
    let key = event.as_key_event()?;
    if key.kind == KeyEventKind::Release {
        return None;
    }
    // A terminal in raw mode sends no signal for it.
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    if key.code == KeyCode::Esc {
        return Some(Input::Quit);
    }
    match key.code.as_char()? {
        'a' => Some(Input::AddDataServer),
        'c' if control => Some(Input::Quit),
        'c' => Some(Input::Conflict),
        'd' => Some(Input::KillDataServer),
        'h' | '?' => Some(Input::Help),
        'l' => Some(Input::KillLeader),
        'n' => Some(Input::Namespace),
        'q' => Some(Input::Quit),
        'r' => Some(Input::DrainDataServer),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyEvent;

    use super::super::keys::KEYS;
    use super::*;

    fn pressed(code: KeyCode) -> Option<Input> {
        input_of(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    #[test]
    fn every_key_that_the_help_names_does_something_else() {
        let mut done = Vec::new();
        for (key, _) in KEYS {
            let input = pressed(KeyCode::Char(key)).unwrap();
            assert!(!done.contains(&input), "{key}");
            done.push(input);
        }
        assert_eq!(pressed(KeyCode::Char('?')), Some(Input::Help));
        assert_eq!(pressed(KeyCode::Esc), Some(Input::Quit));
        assert_eq!(pressed(KeyCode::Char('x')), None);
    }
}
