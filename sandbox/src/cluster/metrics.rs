//! What a coordinator says at `/metrics`.

use std::net::SocketAddr;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tonic::codegen::Bytes;

const WITHIN: Duration = Duration::from_secs(2);

/// One scrape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples(Vec<Sample>);

#[derive(Clone, Debug, PartialEq)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

/// A coordinator's metrics can't be had.
#[derive(Debug, thiserror::Error)]
#[error("can't read http://{address}/metrics: {reason}")]
pub struct ScrapeError {
    /// Where it was asked.
    address: SocketAddr,
    /// Why.
    reason: Reason,
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Connect(#[from] std::io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error(transparent)]
    Request(#[from] http::Error),
    #[error("status {0}")]
    Status(StatusCode),
    #[error("no answer in {} s", WITHIN.as_secs())]
    Timeout,
}

/// Reads a coordinator's metrics; gives up after 2 seconds.
pub async fn scrape(address: SocketAddr) -> Result<Samples, ScrapeError> {
    let text = match tokio::time::timeout(WITHIN, get(address)).await {
        Ok(text) => text,
        Err(_) => Err(Reason::Timeout),
    };
    text.map(|text| Samples::read(&text))
        .map_err(|reason| ScrapeError { address, reason })
}

async fn get(address: SocketAddr) -> Result<String, Reason> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/metrics")
        .header(http::header::HOST, address.to_string())
        .body(Empty::<Bytes>::new())?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?;
        if status.is_success() {
            Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
        } else {
            Err(Reason::Status(status))
        }
    };
    // What it ends with, the answer knows as well; and where it is closed behind the answer, that is whole.
    let connection = async {
        let _ = connection.await;
        std::future::pending().await
    };
    tokio::select! {
        answer = answer => answer,
        never = connection => never,
    }
}

impl Samples {
    /// Reads the text format; lines that are no samples are passed over.
    pub(crate) fn read(text: &str) -> Self {
        Self(text.lines().filter_map(Sample::read).collect())
    }

    /// The sum of all series of this name that have all these labels; 0 where there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.matching(name, labels).map(|it| it.value).sum()
    }

    /// The label's value of every series of this name whose value is `value`.
    pub(crate) fn labels_at<'a>(
        &'a self,
        name: &'a str,
        label: &'a str,
        value: f64,
    ) -> impl Iterator<Item = &'a str> {
        self.matching(name, &[])
            .filter(move |it| (it.value - value).abs() < f64::EPSILON)
            .filter_map(move |it| it.labels.iter().find(|(name, _)| name == label))
            .map(|(_, value)| value.as_str())
    }

    fn matching(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &Sample> {
        self.0.iter().filter(move |it| {
            it.name == name
                && labels
                    .iter()
                    .all(|(name, value)| it.labels.iter().any(|(n, v)| n == name && v == value))
        })
    }
}

/// Whether the coordinator of these metrics leads.
pub fn leads(samples: &Samples) -> bool {
    samples.sum("stepdown_role", &[("role", "leader")]) > 0.0
}

impl Sample {
    fn read(line: &str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let (series, value) = line.rsplit_once(' ')?;
        let value = value.parse().ok()?;
        let (name, mut rest) = series.split_once('{').unwrap_or((series, ""));
        let mut labels = Vec::new();
        while let Some((label, quoted)) = rest.split_once("=\"") {
            let (value, after) = unquote(quoted)?;
            labels.push((label.trim_start_matches([',', ' ']).to_owned(), value));
            rest = after;
        }
        Some(Self {
            name: name.to_owned(),
            labels,
            value,
        })
    }
}

/// What comes before the closing quote, and what after.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_found_by_name_and_labels() {
        let samples = Samples::read(concat!(
            "# HELP roles 1\n",
            "role{role=\"leader\"} 1\n",
            "role{role=\"candidate\"} 0\n",
            "moves{from=\"a\\\"}\",to=\"b c\"} 2\n",
            "moves{from=\"x\",to=\"b c\"} 3\n",
            "plain 4.5\n",
        ));
        assert_eq!(samples.sum("moves", &[("to", "b c")]), 5.0);
        assert_eq!(samples.sum("moves", &[("from", "a\"}")]), 2.0);
        assert_eq!(samples.sum("plain", &[]), 4.5);
        assert_eq!(samples.sum("absent", &[]), 0.0);
        let roles: Vec<_> = samples.labels_at("role", "role", 1.0).collect();
        assert_eq!(roles, ["leader"]);
    }
}
