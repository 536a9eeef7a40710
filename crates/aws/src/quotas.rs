//! How much of the account's quotas is used up, of those that stop a deploy.

use async_trait::async_trait;
use mdo_engine::{Error, QuotaUse, Quotas};

use crate::{AwsProvider, api_gateway};

/// Regional REST APIs of an account in a region. None of these can be raised, and API Gateway tells none of them.
const APIS: u64 = 600;

/// Usage plans of an account in a region.
const USAGE_PLANS: u64 = 300;

#[async_trait]
impl Quotas for AwsProvider {
    async fn quotas(&self) -> Result<Vec<QuotaUse>, Error> {
        let aws = &self.aws;
        let settings = async {
            aws.call("lambda:GetAccountSettings", "", || aws.lambda.get_account_settings().send()).await
        };
        let apis = api_gateway::count_apis(aws);
        let plans = api_gateway::count_plans(aws);
        let (settings, apis, plans) = futures::try_join!(settings, apis, plans)?;
        let number = |number: i64| u64::try_from(number).unwrap_or_default();
        let (limit, usage) = (settings.account_limit(), settings.account_usage());
        let mut all = Vec::new();
        if let (Some(limit), Some(usage)) = (limit, usage) {
            all.push(QuotaUse {
                name: "code storage of Lambda".to_owned(),
                used: number(usage.total_code_size()),
                limit: number(limit.total_code_size()),
                is_bytes: true,
            });
        }
        all.push(QuotaUse { name: "REST APIs".to_owned(), used: apis, limit: APIS, is_bytes: false });
        all.push(QuotaUse {
            name: "usage plans".to_owned(),
            used: plans,
            limit: USAGE_PLANS,
            is_bytes: false,
        });
        Ok(all)
    }
}
