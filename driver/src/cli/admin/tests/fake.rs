//! A coordinator that leads, answers what it was told to, and knows what it was asked for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use stepdown_wire::operator::operator_server::{Operator, OperatorServer};
use stepdown_wire::operator::{
    ForgetDataServerRequest, ForgetDataServerResponse, GetPlanRequest, Plan, SetBalancerRequest,
    SetBalancerResponse,
};
use stepdown_wire::v1;
use stepdown_wire::v1::oxia_admin_server::{OxiaAdmin, OxiaAdminServer};
use tonic::service::Routes;
use tonic::{Request, Response, Status, async_trait};

use crate::ports::tests::{Open, start_with};

#[derive(Default)]
pub(super) struct Fake {
    /// In this order; the last one again and again.
    plans: Mutex<VecDeque<Result<Plan, Status>>>,
    namespaces: Vec<v1::NamespaceView>,
    asked: Mutex<Vec<GetPlanRequest>>,
    calls: Mutex<Vec<&'static str>>,
}

impl Fake {
    pub(super) fn planning(plans: impl IntoIterator<Item = Result<Plan, Status>>) -> Arc<Self> {
        Arc::new(Self {
            plans: Mutex::new(plans.into_iter().collect()),
            ..Self::default()
        })
    }

    pub(super) fn with_namespaces(namespaces: Vec<v1::NamespaceView>) -> Arc<Self> {
        Arc::new(Self {
            namespaces,
            ..Self::default()
        })
    }

    pub(super) async fn open(self: &Arc<Self>) -> Open {
        let admin = Routes::new(OxiaAdminServer::from_arc(self.clone()));
        let routes = admin.add_service(OperatorServer::from_arc(self.clone()));
        start_with("{}", routes).await
    }

    /// What was asked about plans.
    pub(super) fn asked(&self) -> Vec<GetPlanRequest> {
        self.asked.lock().unwrap().clone()
    }

    /// What else was called.
    pub(super) fn calls(&self) -> Vec<&'static str> {
        self.calls.lock().unwrap().clone()
    }

    fn called(&self, name: &'static str) {
        self.calls.lock().unwrap().push(name);
    }
}

#[async_trait]
impl Operator for Fake {
    async fn get_plan(&self, request: Request<GetPlanRequest>) -> Result<Response<Plan>, Status> {
        self.asked.lock().unwrap().push(request.into_inner());
        let mut plans = self.plans.lock().unwrap();
        let plan = if plans.len() > 1 {
            plans.pop_front()
        } else {
            plans.front().cloned()
        };
        plan.unwrap().map(Response::new)
    }

    async fn forget_data_server(
        &self,
        _: Request<ForgetDataServerRequest>,
    ) -> Result<Response<ForgetDataServerResponse>, Status> {
        self.called("forget_data_server");
        Ok(Response::new(Default::default()))
    }

    async fn set_balancer(
        &self,
        _: Request<SetBalancerRequest>,
    ) -> Result<Response<SetBalancerResponse>, Status> {
        self.called("set_balancer");
        Ok(Response::new(Default::default()))
    }
}

macro_rules! called {
    ($($method:ident($request:ident) -> $response:ident;)*) => {
        #[async_trait]
        impl OxiaAdmin for Fake {
            async fn list_namespaces(
                &self,
                _: Request<v1::ListNamespacesRequest>,
            ) -> Result<Response<v1::ListNamespacesResponse>, Status> {
                let namespaces = self.namespaces.clone();
                Ok(Response::new(v1::ListNamespacesResponse { namespaces }))
            }

            $(async fn $method(&self, _: Request<v1::$request>) -> Result<Response<v1::$response>, Status> {
                self.called(stringify!($method));
                Ok(Response::new(Default::default()))
            })*
        }
    };
}

called! {
    list_data_servers(ListDataServersRequest) -> ListDataServersResponse;
    get_data_server(GetDataServerRequest) -> GetDataServerResponse;
    create_data_server(CreateDataServerRequest) -> CreateDataServerResponse;
    patch_data_server(PatchDataServerRequest) -> PatchDataServerResponse;
    delete_data_server(DeleteDataServerRequest) -> DeleteDataServerResponse;
    get_namespace(GetNamespaceRequest) -> GetNamespaceResponse;
    create_namespace(CreateNamespaceRequest) -> CreateNamespaceResponse;
    patch_namespace(PatchNamespaceRequest) -> PatchNamespaceResponse;
    delete_namespace(DeleteNamespaceRequest) -> DeleteNamespaceResponse;
    split_shard(SplitShardRequest) -> SplitShardResponse;
}
