// Sign-ins of managed identities and of service principals, by a diagnostic setting of the Entra tenant.
//
// Whoever deploys this needs the role Security Administrator in the tenant, and rights at the root scope of Azure: by default
// nobody has the latter, and `az rest` as in README.md does without it. The published types of this resource name fewer
// categories than the service takes, so Bicep warns of both (BCP036).
targetScope = 'tenant'

@description('Id of a Log Analytics workspace. Empty: none.')
param workspaceId string = ''

@description('Id of an authorization rule of an Event Hubs namespace, with the right to send. Empty: none.')
param eventHubRuleId string = ''

@description('Name of the event hub. Empty: one that Azure names.')
param eventHubName string = ''

@description('Id of a storage account: cheapest, and read with eightysix as files. Empty: none.')
param storageAccountId string = ''

resource signIns 'microsoft.aadiam/diagnosticSettings@2017-04-01' = {
  name: 'eightysix'
  properties: {
    workspaceId: empty(workspaceId) ? null : workspaceId
    eventHubAuthorizationRuleId: empty(eventHubRuleId) ? null : eventHubRuleId
    eventHubName: empty(eventHubName) ? null : eventHubName
    storageAccountId: empty(storageAccountId) ? null : storageAccountId
    logs: [
      {
        category: 'ManagedIdentitySignInLogs'
        enabled: true
      }
      {
        category: 'ServicePrincipalSignInLogs'
        enabled: true
      }
    ]
  }
}
