//! What people ask, handed on.

use stepdown_wire::raft as wire;
use stepdown_wire::raft::admin_server::{Admin, AdminServer};
use tonic::{Request, Response, Status};

use super::administration::Administration;
use crate::raft::network::LARGEST_MESSAGE;

/// Answers people.
pub(in crate::raft) fn service(administration: Administration) -> AdminServer<Administration> {
    AdminServer::new(administration).max_decoding_message_size(LARGEST_MESSAGE)
}

#[tonic::async_trait]
impl Admin for Administration {
    async fn status(
        &self,
        _: Request<wire::StatusRequest>,
    ) -> Result<Response<wire::StatusResponse>, Status> {
        Ok(Response::new(self.report().await))
    }

    async fn add(
        &self,
        request: Request<wire::AddRequest>,
    ) -> Result<Response<wire::AddResponse>, Status> {
        let wire::AddRequest { address, learner } = request.into_inner();
        Ok(Response::new(
            Administration::add(self, &address, learner).await?,
        ))
    }

    async fn remove(
        &self,
        request: Request<wire::RemoveRequest>,
    ) -> Result<Response<wire::RemoveResponse>, Status> {
        let member = request.into_inner().member;
        Ok(Response::new(Administration::remove(self, &member).await?))
    }

    async fn transfer(
        &self,
        request: Request<wire::TransferRequest>,
    ) -> Result<Response<wire::TransferResponse>, Status> {
        let member = request.into_inner().member;
        Ok(Response::new(
            Administration::transfer(self, &member).await?,
        ))
    }

    async fn take_snapshot(
        &self,
        _: Request<wire::TakeSnapshotRequest>,
    ) -> Result<Response<wire::TakeSnapshotResponse>, Status> {
        Ok(Response::new(Administration::take_snapshot(self).await?))
    }

    async fn export(
        &self,
        _: Request<wire::ExportRequest>,
    ) -> Result<Response<wire::ExportResponse>, Status> {
        Ok(Response::new(Administration::export(self).await?))
    }

    async fn import_status(
        &self,
        request: Request<wire::ImportStatusRequest>,
    ) -> Result<Response<wire::ImportStatusResponse>, Status> {
        let wire::ImportStatusRequest { text, replaced } = request.into_inner();
        let imported = Administration::import_status(self, &text, replaced).await?;
        Ok(Response::new(imported))
    }

    async fn import_configuration(
        &self,
        request: Request<wire::ImportConfigurationRequest>,
    ) -> Result<Response<wire::ImportConfigurationResponse>, Status> {
        let text = request.into_inner().text;
        let imported = Administration::import_configuration(self, &text).await?;
        Ok(Response::new(imported))
    }
}
