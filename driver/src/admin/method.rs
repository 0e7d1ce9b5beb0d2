//! The methods, for whoever counts them.

use crate::auth::Verb;

macro_rules! methods {
    ($($name:ident => $verb:ident;)*) => {
        /// A method of the admin API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Method {
            $($name,)*
        }

        impl Method {
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            pub(super) fn verb(self) -> Verb {
                match self { $(Self::$name => Verb::$verb,)* }
            }
        }
    };
}

methods! {
    CreateDataServer => Write;
    CreateNamespace => Write;
    DeleteDataServer => Delete;
    DeleteNamespace => Delete;
    ForgetDataServer => Delete;
    GetDataServer => Read;
    GetNamespace => Read;
    GetPlan => Read;
    ListDataServers => Read;
    ListNamespaces => Read;
    PatchDataServer => Write;
    PatchNamespace => Write;
    SetBalancer => Write;
    SplitShard => Write;
}
