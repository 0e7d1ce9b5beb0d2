//! The counters of calls, under the names of upstream's gRPC library.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use tonic::Code;

/// How many messages go which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    ClientStream,
    ServerStream,
    Unary,
}

/// A method that is counted. Others are not, so that a caller can't invent series.
pub struct Method {
    pub service: &'static str,
    pub name: &'static str,
    pub kind: Kind,
}

const HEALTH: &str = "grpc.health.v1.Health";
const ADMIN: &str = "io.oxia.proto.v1.OxiaAdmin";
const COORDINATION: &str = "replication.OxiaCoordination";

const SERVED: &[Method] = &[
    stream(HEALTH, "Watch", Kind::ServerStream),
    unary(HEALTH, "Check"),
    unary(HEALTH, "List"),
    unary(ADMIN, "CreateDataServer"),
    unary(ADMIN, "CreateNamespace"),
    unary(ADMIN, "DeleteDataServer"),
    unary(ADMIN, "DeleteNamespace"),
    unary(ADMIN, "GetDataServer"),
    unary(ADMIN, "GetNamespace"),
    unary(ADMIN, "ListDataServers"),
    unary(ADMIN, "ListNamespaces"),
    unary(ADMIN, "PatchDataServer"),
    unary(ADMIN, "PatchNamespace"),
    unary(ADMIN, "SplitShard"),
];

const MADE: &[Method] = &[
    stream(HEALTH, "Watch", Kind::ServerStream),
    unary(HEALTH, "Check"),
    stream(COORDINATION, "PushShardAssignments", Kind::ClientStream),
    unary(COORDINATION, "AddFollower"),
    unary(COORDINATION, "BecomeLeader"),
    unary(COORDINATION, "DeleteShard"),
    unary(COORDINATION, "FreezeShard"),
    unary(COORDINATION, "GetInfo"),
    unary(COORDINATION, "GetStatus"),
    unary(COORDINATION, "Handshake"),
    unary(COORDINATION, "NewTerm"),
    unary(COORDINATION, "RemoveObserver"),
];

const fn unary(service: &'static str, name: &'static str) -> Method {
    stream(service, name, Kind::Unary)
}

const fn stream(service: &'static str, name: &'static str, kind: Kind) -> Method {
    Method {
        service,
        name,
        kind,
    }
}

#[derive(Clone)]
pub struct Rpcs {
    pub served: Counters,
    pub made: Counters,
}

impl Rpcs {
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let served = Counters::register(registry, "server", SERVED)?;
        let made = Counters::register(registry, "client", MADE)?;
        served.show_all();
        made.show_all();
        Ok(Self { served, made })
    }
}

/// The four counters of one side.
#[derive(Clone)]
pub struct Counters {
    started: IntCounterVec,
    handled: IntCounterVec,
    received: IntCounterVec,
    sent: IntCounterVec,
    methods: &'static [Method],
    /// Whether messages of the request are received here (a server) or sent.
    pub serves: bool,
}

impl Counters {
    fn register(
        registry: &Registry,
        side: &str,
        methods: &'static [Method],
    ) -> Result<Self, prometheus::Error> {
        let labels = ["grpc_type", "grpc_service", "grpc_method"];
        let make = |name: &str, help: &str, labels: &[&str]| {
            let opts = Opts::new(format!("grpc_{side}_{name}_total"), help);
            let counter = IntCounterVec::new(opts, labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        Ok(Self {
            started: make("started", "Calls started", &labels)?,
            handled: make(
                "handled",
                "Calls ended, whether well or not",
                &["grpc_type", "grpc_service", "grpc_method", "grpc_code"],
            )?,
            received: make("msg_received", "Messages received", &labels)?,
            sent: make("msg_sent", "Messages sent", &labels)?,
            methods,
            serves: side == "server",
        })
    }

    /// Shows every series at 0, so that a rate is right from the first call on.
    fn show_all(&self) {
        for method in self.methods {
            let labels = method.labels();
            for counter in [&self.started, &self.received, &self.sent] {
                counter.with_label_values(&labels);
            }
            for code in 0..=16 {
                self.handled(method, Code::from_i32(code));
            }
        }
    }

    /// The method of a path like `/service/Method`.
    pub fn method(&self, path: &str) -> Option<&'static Method> {
        let (service, name) = path.strip_prefix('/')?.split_once('/')?;
        self.methods
            .iter()
            .find(|method| method.service == service && method.name == name)
    }

    pub fn started(&self, method: &Method) {
        self.started.with_label_values(&method.labels()).inc();
    }

    pub fn handled(&self, method: &Method, code: Code) -> IntCounter {
        let [kind, service, name] = method.labels();
        self.handled
            .with_label_values(&[kind, service, name, code_name(code)])
    }

    /// The counter of a request's messages.
    pub fn requests(&self, method: &Method) -> IntCounter {
        let counter = if self.serves {
            &self.received
        } else {
            &self.sent
        };
        counter.with_label_values(&method.labels())
    }

    /// The counter of a response's messages.
    pub fn responses(&self, method: &Method) -> IntCounter {
        let counter = if self.serves {
            &self.sent
        } else {
            &self.received
        };
        counter.with_label_values(&method.labels())
    }
}

impl Method {
    fn labels(&self) -> [&'static str; 3] {
        let kind = match self.kind {
            Kind::ClientStream => "client_stream",
            Kind::ServerStream => "server_stream",
            Kind::Unary => "unary",
        };
        [kind, self.service, self.name]
    }
}

/// A code's name as Go writes it.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Aborted => "Aborted",
        Code::AlreadyExists => "AlreadyExists",
        Code::Cancelled => "Canceled",
        Code::DataLoss => "DataLoss",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Internal => "Internal",
        Code::InvalidArgument => "InvalidArgument",
        Code::NotFound => "NotFound",
        Code::Ok => "OK",
        Code::OutOfRange => "OutOfRange",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::Unauthenticated => "Unauthenticated",
        Code::Unavailable => "Unavailable",
        Code::Unimplemented => "Unimplemented",
        Code::Unknown => "Unknown",
    }
}
