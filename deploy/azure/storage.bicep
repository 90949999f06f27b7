// The log of blob storage: which blobs (models among them) were read and written, by which identity, from which address.

@description('Name of the storage account, in the resource group of this deployment. Another one than where logs go.')
param accountName string

@description('Id of a Log Analytics workspace. Empty: none.')
param workspaceId string = ''

@description('Id of an authorization rule of an Event Hubs namespace, with the right to send. Empty: none.')
param eventHubRuleId string = ''

@description('Name of the event hub. Empty: one that Azure names.')
param eventHubName string = ''

@description('Id of a storage account: cheapest, and read with eightysix as files. Empty: none.')
param storageAccountId string = ''

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: accountName
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' existing = {
  name: 'default'
  parent: account
}

resource access 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'eightysix'
  scope: blobs
  properties: {
    workspaceId: empty(workspaceId) ? null : workspaceId
    eventHubAuthorizationRuleId: empty(eventHubRuleId) ? null : eventHubRuleId
    eventHubName: empty(eventHubName) ? null : eventHubName
    storageAccountId: empty(storageAccountId) ? null : storageAccountId
    logs: [
      {
        category: 'StorageRead'
        enabled: true
      }
      {
        category: 'StorageWrite'
        enabled: true
      }
      {
        category: 'StorageDelete'
        enabled: true
      }
    ]
  }
}
