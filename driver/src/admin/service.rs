//! The methods.

use std::sync::Arc;

use stepdown_core::cluster::{ClusterConfiguration, DataServer, EditError};
use stepdown_wire::v1::oxia_admin_server::OxiaAdmin;
use stepdown_wire::v1::{
    CreateDataServerRequest, CreateDataServerResponse, CreateNamespaceRequest,
    CreateNamespaceResponse, DeleteDataServerRequest, DeleteDataServerResponse,
    DeleteNamespaceRequest, DeleteNamespaceResponse, GetDataServerRequest, GetDataServerResponse,
    GetNamespaceRequest, GetNamespaceResponse, ListDataServersRequest, ListDataServersResponse,
    ListNamespacesRequest, ListNamespacesResponse, PatchDataServerRequest, PatchDataServerResponse,
    PatchNamespaceRequest, PatchNamespaceResponse, SplitShardRequest, SplitShardResponse,
};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tonic::{Code, Extensions, Request, Response, Status, async_trait};

use super::Parts;
use super::access::Access;
use super::convert::{
    data_server, data_server_patch, namespace_request, to_data_server, to_data_server_view,
    to_namespace, to_namespace_view,
};
use super::edits::{Edits, Wish};
use super::latest::Latest;
use super::method::Method;
use super::office::Office;
use super::target::Target;
use crate::audit::Audit;
use crate::auth::Caller;
use crate::event_loop::Operator;
use crate::observe::metrics::AdminRequests;

pub(super) struct Admin {
    pub(super) office: Office,
    pub(super) operator: Operator,
    /// One plan is made at a time.
    pub(super) planning: Arc<Semaphore>,
    pub(super) latest: Latest,
    pub(super) audit: Audit,
    /// Where changes are made.
    pub(super) runtime: Handle,
    pub(super) access: Access,
    edits: Edits,
    requests: AdminRequests,
}

impl Admin {
    pub(super) fn new(parts: Parts) -> Self {
        let latest = Latest::new(
            parts.read.clone(),
            parts.in_force.clone(),
            parts.readings.clone(),
        );
        Self {
            edits: Edits::new(&parts, latest.clone()),
            office: Office {
                name: parts.name,
                public_address: parts.public_address,
                view: parts.view,
                leadership: parts.leadership,
                latest: latest.clone(),
            },
            operator: parts.operator,
            planning: Arc::new(Semaphore::new(1)),
            audit: parts.audit,
            runtime: parts.runtime,
            latest,
            access: parts.access,
            requests: parts.requests,
        }
    }

    /// Counts a call by how it ends.
    pub(super) async fn count<T>(
        &self,
        method: Method,
        call: impl Future<Output = Result<T, Status>>,
    ) -> Result<Response<T>, Status> {
        let ended = call.await;
        let code = ended.as_ref().map_or_else(Status::code, |_| Code::Ok);
        self.requests.ended(method, code);
        ended.map(Response::new)
    }

    /// Makes the change of the configuration that is asked for.
    pub(super) async fn change<A, T>(
        &self,
        method: Method,
        extensions: &Extensions,
        target: Target,
        asked: Result<A, Status>,
        edit: fn(&mut ClusterConfiguration, &A) -> Result<T, EditError>,
    ) -> Result<T, Status>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let caller = self.check(method, extensions, target.namespace())?;
        self.office.open()?;
        let asked = asked?;
        let wish = Wish {
            caller,
            method,
            target,
            edit: move |configuration: &mut ClusterConfiguration| edit(configuration, &asked),
        };
        self.edits.make(self.office.clone(), wish).await
    }

    pub(super) fn check(
        &self,
        method: Method,
        extensions: &Extensions,
        namespace: Option<&str>,
    ) -> Result<Caller, Status> {
        self.access.check(extensions, method.verb(), namespace)
    }

    fn configuration(&self) -> Arc<ClusterConfiguration> {
        self.latest.configuration().unwrap_or_default()
    }

    fn all_data_servers(&self, extensions: &Extensions) -> Result<ListDataServersResponse, Status> {
        self.check(Method::ListDataServers, extensions, None)?;
        let seen = self.office.open()?;
        let configuration = self.configuration();
        let servers = configuration.data_servers();
        let view = |server| to_data_server_view(&server, seen.servers.get(&server.identity.id()));
        Ok(ListDataServersResponse {
            data_servers: servers.map(view).collect(),
        })
    }

    fn find_data_server(
        &self,
        extensions: &Extensions,
        name: &str,
    ) -> Result<GetDataServerResponse, Status> {
        self.check(Method::GetDataServer, extensions, None)?;
        let seen = self.office.open()?;
        if name.is_empty() {
            return Err(Status::invalid_argument(
                "data server name must not be empty",
            ));
        }
        let server = self.configuration().data_server(name);
        let server = server
            .ok_or_else(|| Status::not_found(EditError::ServerNotFound(name.into()).to_string()))?;
        let view = to_data_server_view(&server, seen.servers.get(&server.identity.id()));
        Ok(GetDataServerResponse {
            data_server: Some(view),
        })
    }

    fn all_namespaces(&self, extensions: &Extensions) -> Result<ListNamespacesResponse, Status> {
        self.check(Method::ListNamespaces, extensions, None)?;
        let seen = self.office.open()?;
        let configuration = self.configuration();
        let namespaces = configuration.namespaces.iter();
        let view = namespaces.map(|it| to_namespace_view(it, seen.status.namespaces.get(&it.name)));
        Ok(ListNamespacesResponse {
            namespaces: view.collect(),
        })
    }

    fn find_namespace(
        &self,
        extensions: &Extensions,
        name: &str,
    ) -> Result<GetNamespaceResponse, Status> {
        self.check(Method::GetNamespace, extensions, Some(name))?;
        let seen = self.office.open()?;
        if name.is_empty() {
            return Err(Status::invalid_argument("namespace must not be empty"));
        }
        let configuration = self.configuration();
        let namespace = configuration.namespace(name).ok_or_else(|| {
            Status::not_found(EditError::NamespaceNotFound(name.into()).to_string())
        })?;
        let view = to_namespace_view(namespace, seen.status.namespaces.get(name));
        Ok(GetNamespaceResponse {
            namespace: Some(view),
        })
    }
}

#[async_trait]
impl OxiaAdmin for Admin {
    async fn list_data_servers(
        &self,
        request: Request<ListDataServersRequest>,
    ) -> Result<Response<ListDataServersResponse>, Status> {
        let answer = async { self.all_data_servers(request.extensions()) };
        self.count(Method::ListDataServers, answer).await
    }

    async fn get_data_server(
        &self,
        request: Request<GetDataServerRequest>,
    ) -> Result<Response<GetDataServerResponse>, Status> {
        let name = &request.get_ref().data_server;
        let answer = async { self.find_data_server(request.extensions(), name) };
        self.count(Method::GetDataServer, answer).await
    }

    async fn create_data_server(
        &self,
        request: Request<CreateDataServerRequest>,
    ) -> Result<Response<CreateDataServerResponse>, Status> {
        const METHOD: Method = Method::CreateDataServer;
        let (_, extensions, asked) = request.into_parts();
        let new = data_server(asked.data_server.clone());
        let target = Target::of_data_server(asked.data_server.as_ref());
        let edit =
            |it: &mut ClusterConfiguration, new: &DataServer| it.create_data_server(new.clone());
        let answer = async {
            self.change(METHOD, &extensions, target, new, edit).await?;
            // What comes back is what was sent.
            Ok(CreateDataServerResponse {
                data_server: asked.data_server,
            })
        };
        self.count(METHOD, answer).await
    }

    async fn patch_data_server(
        &self,
        request: Request<PatchDataServerRequest>,
    ) -> Result<Response<PatchDataServerResponse>, Status> {
        const METHOD: Method = Method::PatchDataServer;
        let (_, extensions, asked) = request.into_parts();
        let target = Target::of_data_server(asked.data_server.as_ref());
        let patch = data_server_patch(asked.data_server);
        let edit = ClusterConfiguration::patch_data_server;
        let answer = async {
            let server = self
                .change(METHOD, &extensions, target, patch, edit)
                .await?;
            Ok(PatchDataServerResponse {
                data_server: Some(to_data_server(&server)),
            })
        };
        self.count(METHOD, answer).await
    }

    async fn delete_data_server(
        &self,
        request: Request<DeleteDataServerRequest>,
    ) -> Result<Response<DeleteDataServerResponse>, Status> {
        const METHOD: Method = Method::DeleteDataServer;
        let (_, extensions, asked) = request.into_parts();
        let target = Target::DataServer(asked.data_server.clone());
        let name = Ok(asked.data_server);
        let edit = |it: &mut ClusterConfiguration, name: &String| it.delete_data_server(name);
        let answer = async {
            let server = self.change(METHOD, &extensions, target, name, edit).await?;
            Ok(DeleteDataServerResponse {
                data_server: Some(to_data_server(&server)),
            })
        };
        self.count(METHOD, answer).await
    }

    async fn list_namespaces(
        &self,
        request: Request<ListNamespacesRequest>,
    ) -> Result<Response<ListNamespacesResponse>, Status> {
        let answer = async { self.all_namespaces(request.extensions()) };
        self.count(Method::ListNamespaces, answer).await
    }

    async fn get_namespace(
        &self,
        request: Request<GetNamespaceRequest>,
    ) -> Result<Response<GetNamespaceResponse>, Status> {
        let name = &request.get_ref().namespace;
        let answer = async { self.find_namespace(request.extensions(), name) };
        self.count(Method::GetNamespace, answer).await
    }

    async fn create_namespace(
        &self,
        request: Request<CreateNamespaceRequest>,
    ) -> Result<Response<CreateNamespaceResponse>, Status> {
        const METHOD: Method = Method::CreateNamespace;
        let (_, extensions, asked) = request.into_parts();
        let target = Target::of_namespace(asked.namespace.as_ref());
        let asked = namespace_request(asked.namespace);
        let edit = ClusterConfiguration::create_namespace;
        let answer = async {
            let made = self
                .change(METHOD, &extensions, target, asked, edit)
                .await?;
            Ok(CreateNamespaceResponse {
                namespace: Some(to_namespace(&made)),
            })
        };
        self.count(METHOD, answer).await
    }

    async fn patch_namespace(
        &self,
        request: Request<PatchNamespaceRequest>,
    ) -> Result<Response<PatchNamespaceResponse>, Status> {
        const METHOD: Method = Method::PatchNamespace;
        let (_, extensions, asked) = request.into_parts();
        let target = Target::of_namespace(asked.namespace.as_ref());
        let asked = namespace_request(asked.namespace);
        let edit = ClusterConfiguration::patch_namespace;
        let answer = async {
            let patched = self
                .change(METHOD, &extensions, target, asked, edit)
                .await?;
            Ok(PatchNamespaceResponse {
                namespace: Some(to_namespace(&patched)),
            })
        };
        self.count(METHOD, answer).await
    }

    async fn delete_namespace(
        &self,
        request: Request<DeleteNamespaceRequest>,
    ) -> Result<Response<DeleteNamespaceResponse>, Status> {
        const METHOD: Method = Method::DeleteNamespace;
        let (_, extensions, asked) = request.into_parts();
        let target = Target::Namespace(asked.namespace.clone());
        let name = Ok(asked.namespace);
        let edit = |it: &mut ClusterConfiguration, name: &String| it.delete_namespace(name);
        let answer = async {
            let gone = self.change(METHOD, &extensions, target, name, edit).await?;
            Ok(DeleteNamespaceResponse {
                namespace: Some(to_namespace(&gone)),
            })
        };
        self.count(METHOD, answer).await
    }

    async fn split_shard(
        &self,
        request: Request<SplitShardRequest>,
    ) -> Result<Response<SplitShardResponse>, Status> {
        let name = Some(request.get_ref().namespace.as_str());
        let answer = async {
            self.check(Method::SplitShard, request.extensions(), name)?;
            self.office.open()?;
            Err(Status::unimplemented(
                "this release of Stepdown does not split shards; a namespace is made with as many as it will have",
            ))
        };
        self.count(Method::SplitShard, answer).await
    }
}
