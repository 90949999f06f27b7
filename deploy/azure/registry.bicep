// The logs of a container registry: who logged in, what was pushed, pulled and deleted, under which tag and digest.

@description('Name of the registry, in the resource group of this deployment.')
param registryName string

@description('Id of a Log Analytics workspace. Empty: none.')
param workspaceId string = ''

@description('Id of an authorization rule of an Event Hubs namespace, with the right to send. Empty: none.')
param eventHubRuleId string = ''

@description('Name of the event hub. Empty: one that Azure names.')
param eventHubName string = ''

@description('Id of a storage account: cheapest, and read with eightysix as files. Empty: none.')
param storageAccountId string = ''

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' existing = {
  name: registryName
}

resource events 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'eightysix'
  scope: registry
  properties: {
    workspaceId: empty(workspaceId) ? null : workspaceId
    eventHubAuthorizationRuleId: empty(eventHubRuleId) ? null : eventHubRuleId
    eventHubName: empty(eventHubName) ? null : eventHubName
    storageAccountId: empty(storageAccountId) ? null : storageAccountId
    logs: [
      {
        category: 'ContainerRegistryLoginEvents'
        enabled: true
      }
      {
        category: 'ContainerRegistryRepositoryEvents'
        enabled: true
      }
    ]
  }
}
