// The log of a Key Vault: which secrets and keys were read, by which identity, from which address.

@description('Name of the vault, in the resource group of this deployment.')
param vaultName string

@description('Id of a Log Analytics workspace. Empty: none.')
param workspaceId string = ''

@description('Id of an authorization rule of an Event Hubs namespace, with the right to send. Empty: none.')
param eventHubRuleId string = ''

@description('Name of the event hub. Empty: one that Azure names.')
param eventHubName string = ''

@description('Id of a storage account: cheapest, and read with eightysix as files. Empty: none.')
param storageAccountId string = ''

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: vaultName
}

resource reads 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'eightysix'
  scope: vault
  properties: {
    workspaceId: empty(workspaceId) ? null : workspaceId
    eventHubAuthorizationRuleId: empty(eventHubRuleId) ? null : eventHubRuleId
    eventHubName: empty(eventHubName) ? null : eventHubName
    storageAccountId: empty(storageAccountId) ? null : storageAccountId
    // Tables of its own (AZKVAuditLogs).
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      {
        category: 'AuditEvent'
        enabled: true
      }
    ]
  }
}
