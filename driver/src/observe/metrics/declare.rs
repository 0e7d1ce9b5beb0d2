//! How a set of metrics is declared: each with its kind, its name and its help, once.

/// A struct of metrics, and its `register`, which makes and registers each of them.
macro_rules! metrics {
    ($(#[$about:meta])* $set:ident { $($metric:ident: $kind:ty = $made:expr,)+ }) => {
        $(#[$about])*
        #[derive(Clone)]
        pub struct $set {
            $($metric: $kind,)+
        }

        impl $set {
            fn register(registry: &prometheus::Registry) -> Result<Self, prometheus::Error> {
                Ok(Self {
                    $($metric: {
                        let metric = $made?;
                        registry.register(Box::new(metric.clone()))?;
                        metric
                    },)+
                })
            }
        }
    };
}

pub(super) use metrics;
