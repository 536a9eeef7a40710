"""What a handler is given beside its event."""


class Named:
    """The fields of a document, as attributes; what it does not have is None."""

    _fields = ()

    def __init__(self, values):
        for field in self._fields:
            setattr(self, field, values.get(field))

    def __repr__(self):
        return f"{type(self).__name__}([{','.join(f'{field}={getattr(self, field)}' for field in self._fields)}])"


class CognitoIdentity(Named):
    _fields = ("cognito_identity_id", "cognito_identity_pool_id")


class Client(Named):
    _fields = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(Named):
    _fields = ("custom", "env", "client")


class LambdaContext(Named):
    _fields = (
        "aws_request_id",
        "log_group_name",
        "log_stream_name",
        "function_name",
        "memory_limit_in_mb",
        "function_version",
        "invoked_function_arn",
        "client_context",
        "identity",
        "tenant_id",
    )

    def __init__(self, headers):
        def given(header, what):
            text = headers.get("lambda-runtime-" + header)
            name = ("Runtime.LambdaContextUnmarshalError", f"Unable to parse {what} JSON")
            return fault(name, parsed, text) if text else None

        client, cognito = given("client-context", "Client Context"), given("cognito-identity", "Cognito Identity")
        trace = client.pop("w3c", None) if isinstance(client, dict) else None
        trace = trace if isinstance(trace, dict) else {}
        known = ("traceparent", "tracestate", "baggage")
        self._w3c = {key: trace[key] for key in known if isinstance(trace.get(key), str)}
        if client is not None:
            client = ClientContext(client)
            client.client = client.client and Client(client.client)
        identity = {} if cognito is None else {
            "cognito_identity_id": cognito.get("cognitoIdentityId"),
            "cognito_identity_pool_id": cognito.get("cognitoIdentityPoolId"),
        }
        self._deadline = int(headers["lambda-runtime-deadline-ms"])
        super().__init__({
            "aws_request_id": headers["lambda-runtime-aws-request-id"],
            "log_group_name": os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME"),
            "log_stream_name": os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME"),
            "function_name": os.environ.get("AWS_LAMBDA_FUNCTION_NAME"),
            "memory_limit_in_mb": os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
            "function_version": os.environ.get("AWS_LAMBDA_FUNCTION_VERSION"),
            "invoked_function_arn": headers.get("lambda-runtime-invoked-function-arn"),
            "client_context": client,
            "identity": CognitoIdentity(identity),
            "tenant_id": headers.get("lambda-runtime-aws-tenant-id"),
        })

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline - int(time.time() * 1000))

    def w3c(self):
        return dict(self._w3c)

    def log(self, message):
        write_event(str(message))
