//! Names of hosts, and what is known of their addresses.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep};

/// Where an older answer is known, a new one is waited for only so long.
const PATIENCE: Duration = Duration::from_secs(2);
/// So old may that be.
const OLD: Duration = Duration::from_secs(600);
/// An answer that came too late for whoever asked is kept so long for the next one.
const KEPT: Duration = Duration::from_secs(30);
/// How long an address that said nothing comes after the others.
const SILENT: Duration = Duration::from_secs(60);
/// Of so many hosts more is remembered than whether they are being looked up.
const HOSTS: usize = 4096;

/// An answer, for all that wait for it.
type Answer = Result<Vec<IpAddr>, Arc<str>>;
type LookUp =
    dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> + Send + Sync;

/// What is known of names. One look-up of each is under way at a time.
pub(super) struct Names {
    look_up: Box<LookUp>,
    hosts: Mutex<BTreeMap<Arc<str>, Host>>,
}

#[derive(Default)]
struct Host {
    under_way: Option<watch::Receiver<Option<Answer>>>,
    /// The last good answer.
    last: Option<(Vec<IpAddr>, Instant)>,
    /// Whether nobody has had it yet.
    is_unheard: bool,
    silent: BTreeMap<IpAddr, Instant>,
}

/// Where an answer comes, and an older one.
struct Awaited {
    under_way: watch::Receiver<Option<Answer>>,
    older: Option<Vec<IpAddr>>,
}

/// So many threads of those that may block are taken by look-ups at once, so that whoever stores the status
/// finds one, though no name server answers.
static PLACES: Semaphore = Semaphore::const_new(32);

async fn resolve(host: String) -> io::Result<Vec<IpAddr>> {
    let _place = PLACES.acquire().await.map_err(io::Error::other)?;
    let found = lookup_host((host, 0)).await?;
    Ok(found.map(|address| address.ip()).collect())
}

impl Names {
    /// As the system resolves them.
    pub(super) fn of_the_system() -> Arc<Self> {
        Self::new(resolve)
    }

    pub(super) fn new<F>(look_up: impl Fn(String) -> F + Send + Sync + 'static) -> Arc<Self>
    where
        F: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        Arc::new(Self {
            look_up: Box::new(move |host| Box::pin(look_up(host))),
            hosts: Mutex::default(),
        })
    }

    /// The addresses of a host, those first that are most likely to answer. To give up waiting does not
    /// give up the look-up.
    pub(super) async fn look_up(self: &Arc<Self>, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let host: Arc<str> = host.into();
        let Awaited {
            mut under_way,
            older,
        } = match self.kept_or_asked(&host) {
            Ok(kept) => return Ok(kept),
            Err(awaited) => awaited,
        };
        let answer = tokio::select! {
            answer = under_way.wait_for(Option::is_some) => match answer.as_deref() {
                Ok(Some(answer)) => answer.clone(),
                Ok(None) | Err(_) => Err("its look-up was given up".into()),
            },
            () = sleep(PATIENCE), if older.is_some() => Ok(older.unwrap_or_default()),
        };
        let mut hosts = self.hosts();
        let known = hosts.entry(host.clone()).or_default();
        known.is_unheard = false;
        match answer {
            Ok(addresses) if addresses.is_empty() => {
                Err(io::Error::other(format!("{host} has no address")))
            }
            Ok(addresses) => Ok(known.in_order(addresses)),
            Err(reason) => Err(io::Error::other(format!("{host}: {reason}"))),
        }
    }

    /// What has come since somebody asked last; or else where the answer comes, and an older one.
    fn kept_or_asked(self: &Arc<Self>, host: &Arc<str>) -> Result<Vec<IpAddr>, Awaited> {
        let mut hosts = self.hosts();
        if hosts.len() >= HOSTS {
            hosts.retain(|_, known| known.under_way.is_some());
        }
        let known = hosts.entry(host.clone()).or_default();
        if let Some((addresses, at)) = known.last.clone()
            && known.is_unheard
            && at.elapsed() < KEPT
        {
            known.is_unheard = false;
            return Ok(known.in_order(addresses));
        }
        let older = known.last.clone().filter(|(_, at)| at.elapsed() < OLD);
        // One whose runtime has ended answers nobody.
        let under_way = known
            .under_way
            .clone()
            .filter(|it| it.has_changed().is_ok());
        let under_way = under_way.unwrap_or_else(|| {
            let asked = self.ask(host.clone());
            known.under_way = Some(asked.clone());
            asked
        });
        Err(Awaited {
            under_way,
            older: older.map(|(addresses, _)| addresses),
        })
    }

    fn ask(self: &Arc<Self>, host: Arc<str>) -> watch::Receiver<Option<Answer>> {
        let (sender, receiver) = watch::channel(None);
        let found = (self.look_up)(host.to_string());
        let names = Arc::clone(self);
        tokio::spawn(async move {
            let answer = found.await.map_err(|error| error.to_string().into());
            let mut hosts = names.hosts();
            let known = hosts.entry(host).or_default();
            known.under_way = None;
            if let Ok(addresses) = &answer {
                known.last = Some((addresses.clone(), Instant::now()));
                known.is_unheard = true;
            }
            sender.send_replace(Some(answer));
        });
        receiver
    }

    /// Nobody spoke at this address of the host.
    pub(super) fn was_silent(&self, host: &str, address: IpAddr) {
        if let Some(known) = self.hosts().get_mut(host) {
            known.silent.insert(address, Instant::now());
        }
    }

    /// Somebody did.
    pub(super) fn spoke(&self, host: &str, address: IpAddr) {
        if let Some(known) = self.hosts().get_mut(host) {
            known.silent.remove(&address);
        }
    }

    fn hosts(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host {
    /// Those that were silent lately come last, and the families take turns, the first one's first
    /// (RFC 8305, 4).
    fn in_order(&mut self, addresses: Vec<IpAddr>) -> Vec<IpAddr> {
        self.silent.retain(|_, at| at.elapsed() < SILENT);
        let begins_with_6 = addresses.first().is_some_and(IpAddr::is_ipv6);
        let (first, second): (Vec<_>, Vec<_>) = addresses
            .into_iter()
            .partition(|it| it.is_ipv6() == begins_with_6);
        let mut turns = Vec::new();
        let (mut first, mut second) = (first.into_iter(), second.into_iter());
        loop {
            let turn = [first.next(), second.next()];
            if turn == [None, None] {
                break;
            }
            turns.extend(turn.into_iter().flatten());
        }
        turns.sort_by_key(|address| self.silent.contains_key(address));
        turns
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn at(addresses: &[&str]) -> Vec<IpAddr> {
        addresses.iter().map(|it| it.parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_number_is_its_own_address() {
        let names = Names::new(async |_| Err(io::Error::other("nobody asks")));
        assert_eq!(names.look_up("::1").await.unwrap(), at(&["::1"]));
    }

    #[test]
    fn families_take_turns_and_those_that_were_silent_come_last() {
        let mut host = Host::default();
        let given = at(&["::1", "::2", "10.0.0.1", "::3"]);
        let expected = at(&["::1", "10.0.0.1", "::2", "::3"]);
        assert_eq!(host.in_order(given.clone()), expected);
        host.silent.insert(expected[0], Instant::now());
        let expected = at(&["10.0.0.1", "::2", "::3", "::1"]);
        assert_eq!(host.in_order(given), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn where_a_resolver_has_fallen_silent_the_older_answer_has_to_do() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let names = Names::new(move |_| {
            let is_first = count.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                if !is_first {
                    std::future::pending::<()>().await;
                }
                Ok(vec![IpAddr::from([10, 0, 0, 1])])
            }
        });
        for _ in 0..3 {
            assert_eq!(names.look_up("a.example").await.unwrap(), at(&["10.0.0.1"]));
        }
        // Whoever comes later waits for the one that is under way.
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn an_answer_that_was_had_is_not_believed_again() {
        let asked = Arc::new(AtomicUsize::new(1));
        let count = Arc::clone(&asked);
        let names = Names::new(move |_| {
            let number = u8::try_from(count.fetch_add(1, Ordering::SeqCst)).unwrap();
            async move { Ok(vec![IpAddr::from([10, 0, 0, number])]) }
        });
        for expected in ["10.0.0.1", "10.0.0.2"] {
            assert_eq!(names.look_up("a.example").await.unwrap(), at(&[expected]));
        }
    }

    #[tokio::test]
    async fn a_name_that_is_not_known_is_an_error_with_the_name() {
        let names = Names::new(async |_| Err(io::Error::other("no such name")));
        let error = names.look_up("a.example").await.unwrap_err();
        assert_eq!(error.to_string(), "a.example: no such name");
    }
}
