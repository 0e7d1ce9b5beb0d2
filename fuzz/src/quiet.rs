//! Panics that are heard, and not printed: to shrink an input takes thousands of them.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// What the last panic said, and where it was; `None` where nobody listens.
    static HEARD: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Does it, and says what it panics with.
pub(crate) fn heard(work: impl FnOnce()) -> Result<(), String> {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let is_heard = HEARD.with_borrow_mut(|heard| {
                let heard = heard.as_mut();
                heard.map(|heard| *heard = panic.to_string()).is_some()
            });
            if !is_heard {
                print(panic);
            }
        }));
    });
    HEARD.set(Some(String::new()));
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    let heard = HEARD.take();
    done.map_err(|_| heard.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_panic_says_is_heard_with_its_place() {
        let said = heard(|| panic!("seven")).unwrap_err();
        assert!(
            said.contains("seven") && said.contains("quiet.rs"),
            "{said}"
        );
        assert_eq!(heard(|| {}), Ok(()));
    }
}
