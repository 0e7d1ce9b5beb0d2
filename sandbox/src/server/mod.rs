//! A data server on real sockets and, if asked, a real disk.

mod assignments;
mod command;
mod convert;
mod coordination;
mod data_server;
mod engine;
mod faults;
mod health;
mod links;
mod listen;
mod node;
mod runtime;
mod serve;
mod services;
mod store;
mod worker;

pub use data_server::{DataServer, DataServerOptions, StartError};
pub use faults::{CallFault, FaultSet, Faults};
pub use serve::{ServeError, serve};
pub use store::StoreError;
