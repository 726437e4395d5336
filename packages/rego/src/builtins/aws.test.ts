import { expectCalls } from './call-table.contract.js';

expectCalls('aws', [
  [
    'providers.aws.sign_req({"method":"GET","url":"https://example.com/a b?x=1","headers":{"X-Foo":"bar","User-Agent":"z"}}, {"aws_service":"s3","aws_access_key":"AK","aws_secret_access_key":"SK","aws_region":"us-east-1","aws_session_token":"T"}, 1451683800000000000)',
    '{"headers":{"Authorization":"AWS4-HMAC-SHA256 Credential=AK/20160101/us-east-1/s3/aws4_request,SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token;x-foo,Signature=b897ae372bc11782a18bb3754de0445aa5dd3dfc0e1c8e5160d86dda5ddcef08","User-Agent":"z","X-Foo":"bar","host":"example.com","x-amz-content-sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","x-amz-date":"20160101T213000Z","x-amz-security-token":"T"},"method":"GET","url":"https://example.com/a b?x=1"}',
  ],
  [
    'providers.aws.sign_req({"method":"POST","url":"https://example.com","body":{"a":1}}, {"aws_service":"ec2","aws_access_key":"AK","aws_secret_access_key":"SK","aws_region":"us-east-1"}, 1451683800000000000)',
    '{"body":{"a":1},"headers":{"Authorization":"AWS4-HMAC-SHA256 Credential=AK/20160101/us-east-1/ec2/aws4_request,SignedHeaders=host;x-amz-date,Signature=dc5c832907b4d5040f52ed59624ab6aa33a54d715b6137022e9e011b4b365a4f","host":"example.com","x-amz-date":"20160101T213000Z"},"method":"POST","url":"https://example.com"}',
  ],
  [
    'providers.aws.sign_req({"method":"POST","url":"https://example.com"}, {"aws_service":"ec2"}, 1451683800000000000)',
    'eval_type_error: providers.aws.sign_req: operand 2 missing required AWS config parameters(s): {"aws_access_key", "aws_region", "aws_secret_access_key"}',
  ],
  [
    'providers.aws.sign_req({"url":"https://example.com"}, {"aws_service":"ec2","aws_access_key":"AK","aws_secret_access_key":"SK","aws_region":"us-east-1"}, 1451683800000000000)',
    'eval_type_error: providers.aws.sign_req: operand 1 missing required request parameters(s): {"method"}',
  ],
]);
