// The activity log of a subscription: every operation at Azure Resource Manager, by which identity, from which address.
//
//   az deployment sub create --location LOCATION --template-file deploy/azure/activity.bicep --parameters workspaceId=ID
targetScope = 'subscription'

@description('Id of a Log Analytics workspace. Empty: none.')
param workspaceId string = ''

@description('Id of an authorization rule of an Event Hubs namespace, with the right to send. Empty: none.')
param eventHubRuleId string = ''

@description('Name of the event hub. Empty: one that Azure names.')
param eventHubName string = ''

@description('Id of a storage account: cheapest, and read with eightysix as files. Empty: none.')
param storageAccountId string = ''

resource activity 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'eightysix'
  properties: {
    workspaceId: empty(workspaceId) ? null : workspaceId
    eventHubAuthorizationRuleId: empty(eventHubRuleId) ? null : eventHubRuleId
    eventHubName: empty(eventHubName) ? null : eventHubName
    storageAccountId: empty(storageAccountId) ? null : storageAccountId
    logs: [
      {
        category: 'Administrative'
        enabled: true
      }
    ]
  }
}
